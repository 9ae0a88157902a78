-- resign: a beat that stops lets another lead at once.
-- ARGV: now, beat.
-- REPLY: {"OK"}
-- include: prelude
allow_when_full()
if safely('HGET', P .. 'leader', 'beat') == ARGV[2] then
  call('HSET', P .. 'leader', 'until', '0')
end
safely('ZREM', P .. 'beats', ARGV[2])
return { 'OK' }
