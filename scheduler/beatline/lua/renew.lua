-- renew: a worker keeps all that its children hold; one ZADD, whatever they hold.
-- Guarantee: a worker that was struck hears it (GONE, UNKNOWN) and cannot renew.
-- ARGV: now, worker, lease in ms, flags ("c": compare the list that follows), (id, fence)*.
-- REPLY: {"OK"|"GONE"|"UNKNOWN", now in µs, cancelled ids held here, ids no longer held here,
--   ids held here that the list lacks, control messages}
-- include: prelude
allow_when_full()
local worker, lease_ms = ARGV[2], tonumber(ARGV[3])
if safely('ZSCORE', P .. 'gone', worker) then
  return { 'GONE', text(now_us), {}, {}, {}, {} }
end
if not safely('ZSCORE', P .. 'workers', worker) then
  return { 'UNKNOWN', text(now_us), {}, {}, {}, {} }
end
local observed = tonumber(safely('HGET', P .. 'watch', 'w') or '0') or 0
redis.call('ZADD', P .. 'workers', text(observed + lease_ms), worker)
safely('HSET', P .. 'worker:' .. worker, 'renewed', text(now_ms))

local held, cancelled, lost, unlisted = P .. 'held:' .. worker, {}, {}, {}
if redis.call('EXISTS', P .. 'cancelled') == 1 then
  local flags = safely('HGETALL', P .. 'cancelled')
  for at = 1, #flags, 2 do
    local owner = safely('HGET', held, flags[at])
    if owner then
      cancelled[#cancelled + 1] = flags[at]
      cancelled[#cancelled + 1] = flags[at + 1]
    end
  end
end
if ARGV[4] == 'c' then
  local listed = {}
  for at = 5, #ARGV, 2 do
    local id = ARGV[at]
    listed[id] = true
    local fence = string.match(safely('HGET', held, id) or '', ':(%d+)$')
    -- A job whose record is gone too has been flushed: its run may finish as UNKNOWN (R27).
    if fence ~= ARGV[at + 1] and safely('HEXISTS', P .. 'jobs', id) == 1 then
      lost[#lost + 1] = id
    end
  end
  local all = safely('HGETALL', held)
  for at = 1, #all, 2 do
    if not listed[all[at]] then
      unlisted[#unlisted + 1] = all[at]
      unlisted[#unlisted + 1] = all[at + 1]
    end
  end
end
local control = safely('LRANGE', P .. 'control:' .. worker, 0, 99)
return { 'OK', text(now_us), cancelled, lost, unlisted, control }
