-- put_schedule: declares a schedule, or changes it; its ledger and counters stay.
-- Guarantee: one step; the last fired instant survives (R21): a next fire time that is not later is
-- refused and computed anew by the caller. Refused as a whole when memory is full.
-- ARGV: now, name, definition, trigger, source, next ("" none), due, "1" where declared paused,
--   "take" to take over from another source, tzdata version.
-- REPLY: {"CREATED"|"CHANGED"|"SAME", revision, next, due} | {"OWNED", source} | {"PASSED", last}
-- include: prelude
-- include: fence
-- include: timeline
local name, definition, trigger, source = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local next_ms, due_ms, tz = ARGV[6], ARGV[7], ARGV[10]
local key = P .. 'sched:' .. name
local old = safely('HMGET', key, 'rev', 'def', 'trigger', 'source', 'next', 'due', 'last', 'paused',
  'tz')
local revision = old[1]
if revision and old[4] ~= source and ARGV[9] ~= 'take' then
  return { 'OWNED', old[4] or '' }
end
local paused = old[8] or ''
if ARGV[8] == '1' then
  paused = 'declared'
elseif paused == 'declared' then
  paused = ''
end
-- An older tzdata than the stored one never recomputes: the newest wins.
if revision and old[3] == trigger and (old[9] or '') >= tz then
  next_ms, due_ms, tz = old[5] or '', old[6] or '', old[9]
end
local same = revision and old[2] == definition and old[4] == source and old[5] == next_ms
  and (old[8] or '') == paused
if same then
  if next_ms ~= '' and paused == '' and not safely('ZSCORE', P .. 'timeline', 's' .. name) then
    put_on_timeline('s' .. name, tonumber(due_ms))
  end
  return { 'SAME', revision, next_ms, due_ms }
end
if old[7] and next_ms ~= '' and tonumber(next_ms) <= tonumber(old[7]) then
  return { 'PASSED', old[7] }
end
redis.call('HSET', key, 'def', definition, 'trigger', trigger, 'source', source, 'next', next_ms,
  'due', due_ms, 'paused', paused, 'tz', tz, 'applied', text(now_ms))
local drawn = text(draw_fence(1))
redis.call('HSET', key, 'rev', drawn)
safely('HSET', P .. 'schedules', name, drawn)
if paused == '' and next_ms ~= '' then
  put_on_timeline('s' .. name, tonumber(due_ms))
else
  safely('ZREM', P .. 'timeline', 's' .. name)
end
return { revision and 'CHANGED' or 'CREATED', drawn, next_ms, due_ms }
