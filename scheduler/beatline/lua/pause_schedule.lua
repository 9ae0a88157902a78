-- pause_schedule: a schedule rests, or goes on; jobs that it made are not touched.
-- Instants that pass while it rests are recorded as missed when it goes on.
-- ARGV: now, name, "pause" or "resume", reason.
-- REPLY: {"OK"|"ABSENT", paused reason or "", next}
-- include: prelude
-- include: timeline
allow_when_full()
local name, key = ARGV[2], P .. 'sched:' .. ARGV[2]
local stored = safely('HMGET', key, 'rev', 'next', 'due', 'paused')
if not stored[1] then
  return { 'ABSENT', '', '' }
end
local reason = stored[4] or ''
if ARGV[3] == 'pause' then
  if reason == '' then
    redis.call('HSET', key, 'paused_at', text(now_ms))
  end
  reason = ARGV[4] == '' and 'by hand' or ARGV[4]
  safely('ZREM', P .. 'timeline', 's' .. name)
elseif reason ~= '' then
  reason = ''
  redis.call('HSET', key, 'resumed_at', text(now_ms))
  if (stored[3] or '') ~= '' then
    put_on_timeline('s' .. name, tonumber(stored[3]))
  end
end
redis.call('HSET', key, 'paused', reason)
return { 'OK', reason, stored[2] or '' }
