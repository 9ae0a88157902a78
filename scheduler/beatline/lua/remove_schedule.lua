-- remove_schedule: a schedule and its ledger go; jobs that it made run on.
-- `open:<name>` stays until they end, so that a schedule of the same name sees them.
-- ARGV: now, name, source ("" any).
-- REPLY: {"REMOVED"|"ABSENT"} | {"OWNED", source}
-- include: prelude
allow_when_full()
local name, source = ARGV[2], ARGV[3]
local key = P .. 'sched:' .. name
local owner = safely('HGET', key, 'source')
if owner and source ~= '' and owner ~= source then
  return { 'OWNED', owner }
end
safely('ZREM', P .. 'timeline', 's' .. name)
call('DEL', key, P .. 'ledger:' .. name)
local known = safely('HDEL', P .. 'schedules', name) == 1
return { (owner or known) and 'REMOVED' or 'ABSENT' }
