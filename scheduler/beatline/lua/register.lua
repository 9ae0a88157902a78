-- register: a worker and its consumers enter the books; a second call adds consumers or renews.
-- Guarantee: only registered consumers may take and settle (R1); a worker that is being emptied
-- cannot come back under its old id (R15).
-- ARGV: now, worker, lease in ms, count of fields, (field, value)* of `worker:<id>`, consumers.
-- REPLY: {"OK"|"GONE"}
-- include: prelude
allow_when_full()
local worker, lease_ms, fields = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if safely('ZSCORE', P .. 'gone', worker) then
  return { 'GONE' }
end
local observed = tonumber(safely('HGET', P .. 'watch', 'w') or '0') or 0
safely('ZADD', P .. 'workers', text(observed + lease_ms), worker)
if fields > 0 then
  safely('HSET', P .. 'worker:' .. worker, unpack(ARGV, 5, 4 + 2 * fields))
end
safely('HSET', P .. 'worker:' .. worker, 'renewed', text(now_ms))
for at = 5 + 2 * fields, #ARGV do
  -- "*": the number of its next call is not known, so any is taken.
  safely('HSETNX', P .. 'consumers:' .. worker, ARGV[at], '*|0|')
end
return { 'OK' }
