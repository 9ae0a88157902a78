-- remove_schedule: a schedule and its ledger go; jobs that it made run on.
-- ARGV: now, name, source ("" any).
-- REPLY: {"REMOVED"|"ABSENT"} | {"OWNED", source}
-- include: prelude, forgetting
allow_when_full()
local owner = other_owner(ARGV[2], ARGV[3])
if owner then
  return { 'OWNED', owner }
end
return { forget_schedule(ARGV[2]) and 'REMOVED' or 'ABSENT' }
