-- register: a worker and its consumers enter the books; a second call adds consumers or renews.
-- Guarantee: only registered consumers may take and settle (R1); a worker that is being emptied
-- cannot come back under its old id (R15).
-- ARGV: now, worker, lease in ms, count of fields, (field, value)* of `worker:<id>`, consumers.
-- REPLY: {"OK"|"GONE"}
-- include: prelude, watched
allow_when_full()
local worker, lease_ms, fields = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if safely('ZSCORE', P .. 'gone', worker) then
  return { 'GONE' }
end
safely('ZADD', P .. 'workers', text(watched_ms() + lease_ms), worker)
local about = P .. 'worker:' .. worker
for at = 5, 4 + 2 * fields, 2 do
  safely('HSET', about, ARGV[at], ARGV[at + 1])
end
safely('HSET', about, 'renewed', text(now_ms), 'lease_ms', text(lease_ms))
local consumers = P .. 'consumers:' .. worker
for at = 5 + 2 * fields, #ARGV do
  -- "*": the number of its next call is not known, so any is taken.
  safely('HSETNX', consumers, ARGV[at], '*|0||')
end
-- How many there are, so that a loss of the register is noticed.
safely('HSET', about, 'registered', safely('HLEN', consumers))
return { 'OK' }
