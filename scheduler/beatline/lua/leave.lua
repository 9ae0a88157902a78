-- leave: a worker that has stopped and released its children's jobs goes off the books.
-- ARGV: now, worker.
-- REPLY: {"OK"}, or {"HOLDS", count} where something is still held: then its lease runs out.
-- include: prelude, consumer, striking
allow_when_full()
local worker = ARGV[2]
local count = safely('HLEN', P .. 'held:' .. worker)
if count > 0 then
  return { 'HOLDS', count }
end
strike_consumers(worker)
forget_worker(worker)
return { 'OK' }
