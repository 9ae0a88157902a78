-- elect: soft leadership of a partition. Correctness never hangs on it: `fire` compares and sets.
-- ARGV: now, beat, leadership in ms, description (JSON).
-- REPLY: {"LEADER"|"STANDBY", term, leader, now in µs}
-- include: prelude, numbers
allow_when_full()
local beat, length_ms = ARGV[2], tonumber(ARGV[3])
safely('ZADD', P .. 'beats', now_ms, beat)
call('ZREMRANGEBYSCORE', P .. 'beats', '-inf', text(now_ms - 60000))
local leader = safely('HGET', P .. 'leader', 'beat')
local term = whole(safely('HGET', P .. 'leader', 'term')) or 0
local ends = whole(safely('HGET', P .. 'leader', 'until')) or 0
-- An end further away than a whole term comes from a clock that has jumped back since.
if leader ~= beat and ends > now_ms and ends <= now_ms + length_ms then
  return { 'STANDBY', text(term), leader, text(now_us) }
end
if leader ~= beat then
  term = term + 1
end
call('HSET', P .. 'leader', 'beat', beat, 'term', text(term),
  'until', text(now_ms + length_ms), 'about', ARGV[4])
return { 'LEADER', text(term), beat, text(now_us) }
