-- report: RUNNING -> RUNNING
-- What a running job tells of itself: its progress, or a checkpoint.
-- Guarantee: written under the fence of its delivery; a stale run changes nothing (G5).
-- ARGV: now, worker, consumer, id, fence, "progress", "checkpoints" or "unsure", value.
-- REPLY: {"OK"}
-- RAISES: LEASELOST the delivery is no longer the caller's.
-- include: prelude
allow_when_full()
local worker, consumer, id, field = ARGV[2], ARGV[3], ARGV[4], ARGV[6]
if safely('HGET', P .. 'held:' .. worker, id) ~= consumer .. ':' .. ARGV[5] then
  return redis.error_reply('LEASELOST delivery ' .. ARGV[5] .. ' is not held any more')
end
safely('HSET', P .. field, id, ARGV[7])
return { 'OK' }
