-- leave: a worker that has stopped and released its children's jobs goes off the books.
-- ARGV: now, worker.
-- REPLY: {"OK"}, or {"HOLDS", count} where something is still held: then its lease runs out.
-- include: prelude
allow_when_full()
local worker = ARGV[2]
local count = safely('HLEN', P .. 'held:' .. worker)
if count > 0 then
  return { 'HOLDS', count }
end
safely('ZREM', P .. 'workers', worker)
safely('ZREM', P .. 'gone', worker)
redis.call('DEL', P .. 'worker:' .. worker, P .. 'consumers:' .. worker, P .. 'held:' .. worker,
  P .. 'control:' .. worker)
return { 'OK' }
