-- put_schedule: declares a schedule, or changes it; its ledger and counters stay.
-- Guarantee: one step; the last decided instant survives (R21): a next fire time that is not later
-- is refused and computed anew by the caller. Refused as a whole when memory is full.
-- ARGV: now, name, definition, trigger, source, next ("" none), due, "1" where declared paused,
--   "take" to take over from another source, tzdata version, failures after which it pauses or "".
-- REPLY: {"CREATED"|"CHANGED"|"SAME", revision, next, due} | {"OWNED", source} | {"PASSED", last}
-- include: prelude, numbers, fence, timeline
local name, definition, trigger, source = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local next_ms, due_ms, tz = ARGV[6], ARGV[7], ARGV[10]
local key = P .. 'sched:' .. name
local old = safely('HMGET', key, 'rev', 'def', 'trigger', 'source', 'next', 'due', 'decided',
  'paused', 'tz')
local revision = old[1]
if revision and old[4] ~= source and ARGV[9] ~= 'take' then
  return { 'OWNED', old[4] or '' }
end

-- Who paused it by hand has the last word; what was set aside unread is readable to its declarer.
local before = old[8] or ''
local paused, was_aside = before, string.sub(before, 1, 10) == 'unreadable'
if was_aside or paused == 'declared' then
  paused = ''
end
if ARGV[8] == '1' and paused == '' then
  paused = 'declared'
end

-- Versions of the zones as numbers: 2025.10 is newer than 2025.9.
local function version(zones)
  local year, rest = string.match(zones or '', '^(%d+)%.?(.*)$')
  return (tonumber(year) or 0) * 1000 + (tonumber(rest) or string.byte(rest or '') or 0)
end

-- The same trigger keeps its next fire time, unless newer zones than the stored ones name another.
local old_next, old_due, decided = whole(old[5]), whole(old[6]), whole(old[7])
local kept = revision and not was_aside and old[3] == trigger and old_next and old_due
  and (not decided or old_next > decided) and version(old[9]) >= version(tz)
if kept then
  next_ms, due_ms, tz = old[5], old[6], old[9]
end

local same = revision and old[2] == definition and old[4] == source and before == paused
  and old[3] == trigger and old[5] == next_ms and old[6] == due_ms and old[9] == tz
if same then
  safely('HSETNX', P .. 'schedules', name, revision)
  if next_ms ~= '' and paused == '' and not safely('ZSCORE', P .. 'timeline', 's' .. name) then
    put_on_timeline('s' .. name, tonumber(due_ms))
  end
  return { 'SAME', revision, next_ms, due_ms }
end
if decided and next_ms ~= '' and tonumber(next_ms) <= decided then
  return { 'PASSED', text(decided) }
end
call('HSET', key, 'def', definition, 'trigger', trigger, 'source', source, 'next', next_ms,
  'due', due_ms, 'paused', paused, 'tz', tz, 'pause_after', ARGV[11] or '')
if not revision or old[2] ~= definition then
  -- A new next fire time may have come while the caller was on the way: it counts as after.
  local first = not kept and tonumber(next_ms) or now_ms + 1
  call('HSET', key, 'applied', text(math.min(now_ms, first - 1)))
end
if (before == '') ~= (paused == '') then
  call('HSET', key, paused == '' and 'resumed_at' or 'paused_at', text(now_ms))
end
local drawn = text(draw_fence(1))
call('HSET', key, 'rev', drawn)
safely('HSET', P .. 'schedules', name, drawn)
if paused == '' and next_ms ~= '' then
  put_on_timeline('s' .. name, tonumber(due_ms))
else
  safely('ZREM', P .. 'timeline', 's' .. name)
end
return { revision and 'CHANGED' or 'CREATED', drawn, next_ms, due_ms }
