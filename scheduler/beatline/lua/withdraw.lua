-- withdraw: RUNNING -> QUEUED | RUNNING | CANCELLED
-- A hand-off is an offer (R10): what lies unopened in a wake list for long is put back at the front,
-- uncounted. Also keeps `dead` and `quarantine` within their bounds (R28).
-- ARGV: now, oldest age of an offer in ms, result ttl in ms, most dead letters, their age in ms.
-- REPLY: {offers withdrawn, dead letters dropped}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
-- include: timeline
-- include: ledger
-- include: finish
-- include: returning
allow_when_full()
local withdrawn = 0
local offers = safely('ZRANGE', P .. 'offers', '-inf', text(now_ms - tonumber(ARGV[2])), 'BYSCORE',
  'LIMIT', 0, 100)
for _, offer in ipairs(offers) do
  local worker, wake = string.match(offer, '^(.-)|(.+)$')
  redis.call('ZREM', P .. 'offers', offer)
  if worker then
    local held, entries = P .. 'held:' .. worker, {}
    local consumer = string.match(wake, '^(.*):%d+$')
    for _, unopened in ipairs(safely('LRANGE', P .. 'wake:' .. wake, 0, -1)) do
      local fence, size, at = string.match(unopened, '^(%d+) %d+ %d+ (%d+)\n()')
      local id = fence and string.sub(unopened, at, at + tonumber(size) - 1)
      if id and safely('HGET', held, id) == consumer .. ':' .. fence then
        entries[#entries + 1] = { id, fence, false }
      end
    end
    redis.call('DEL', P .. 'wake:' .. wake)
    return_held(held, entries, '', 1000000, tonumber(ARGV[3]))
    withdrawn = withdrawn + #entries
  end
end

local old = safely('ZRANGE', P .. 'dead', '-inf', text(now_ms - tonumber(ARGV[5])), 'BYSCORE',
  'LIMIT', 0, 100)
local excess = redis.call('ZCARD', P .. 'dead') - tonumber(ARGV[4])
if #old == 0 and excess > 0 then
  old = redis.call('ZRANGE', P .. 'dead', 0, math.min(excess, 100) - 1)
end
for _, id in ipairs(old) do
  redis.call('ZREM', P .. 'dead', id)
  safely('HDEL', P .. 'forensics', id)
  safely('HDEL', P .. 'jobs', id)
  safely('HDEL', P .. 'deliveries', id)
  safely('HDEL', P .. 'attempts', id)
  safely('HINCRBY', P .. 'counters', 'dead_dropped', 1)
end
return { withdrawn, #old }
