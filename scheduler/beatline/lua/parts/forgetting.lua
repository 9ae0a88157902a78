-- part forgetting: a schedule and its ledger go; jobs that it made run on. Needs prelude.
-- `open:<name>` stays until they end, so that a schedule of the same name sees them.

-- The source that declared it, where that is another one than the given one ("" is any).
local function other_owner(name, source)
  local owner = safely('HGET', P .. 'sched:' .. name, 'source')
  return owner and source ~= '' and owner ~= source and owner or nil
end

-- Returns whether there was one.
local function forget_schedule(name)
  safely('ZREM', P .. 'timeline', 's' .. name)
  safely('ZREM', P .. 'expected', name)
  safely('HDEL', P .. 'alerts', name)
  local gone = call('DEL', P .. 'sched:' .. name)
  call('DEL', P .. 'ledger:' .. name, P .. 'backfills:' .. name, P .. 'backfilled:' .. name)
  return safely('HDEL', P .. 'schedules', name) + gone > 0
end
