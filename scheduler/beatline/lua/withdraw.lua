-- withdraw: RUNNING -> QUEUED | RUNNING | CANCELLED
-- A hand-off is an offer (R10): what lies unopened in a wake list for long is put back at the front,
-- uncounted. Also keeps `dead` and `quarantine` within their bounds (R28).
-- ARGV: now, oldest age of an offer in ms, result ttl in ms, most dead letters, their age in ms.
-- REPLY: {offers withdrawn, dead letters dropped}
-- include: prelude, numbers, record, job, counting, quarantine, marks
-- defer: watched, fence, queues, handing
-- include: handing_one, make_ready, ledger, results, timeline, buffering, closing, finish
-- include: holding, consumer, returning
allow_when_full()
local age_ms, ttl_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
local most, oldest_ms = tonumber(ARGV[4]), now_ms - tonumber(ARGV[5])

-- An offer from the future was made before the clock was turned back: it is as old as any.
local withdrawn, offers = 0, safely('ZRANGE', P .. 'offers', '-inf', text(now_ms - age_ms),
  'BYSCORE', 'LIMIT', 0, 100)
for _, offer in ipairs(call('ZRANGE', P .. 'offers', '(' .. text(now_ms + age_ms), '+inf',
  'BYSCORE', 'LIMIT', 0, 100)) do
  offers[#offers + 1] = offer
end
for _, offer in ipairs(offers) do
  local worker, wake, consumer = string.match(offer, '^([^|]+)|((.+):%d+)$')
  call('ZREM', P .. 'offers', offer)
  if worker then
    local held, entries = P .. 'held:' .. worker, {}
    for _, unopened in ipairs(safely('LRANGE', P .. 'wake:' .. wake, 0, -1)) do
      local fence, id = read_offer(unopened)
      if fence and safely('HGET', held, id) == consumer .. ':' .. fence then
        entries[#entries + 1] = { id = id, fence = tonumber(fence) }
      end
    end
    call('DEL', P .. 'wake:' .. wake)
    return_held(held, entries, '', 1000000, ttl_ms)
    withdrawn = withdrawn + #entries
  end
end

local old = safely('ZRANGE', P .. 'dead', '-inf', text(oldest_ms), 'BYSCORE', 'LIMIT', 0, 100)
local excess = call('ZCARD', P .. 'dead') - most
if #old == 0 and excess > 0 then
  old = call('ZRANGE', P .. 'dead', 0, math.min(excess, 100) - 1)
end
if #old > 0 then
  call('ZREM', P .. 'dead', unpack(old))
  safely('HDEL', P .. 'forensics', unpack(old))
  safely('HDEL', P .. 'jobs', unpack(old))
  forget_marks(old)
  count_up(P .. 'counters', 'dead_dropped', #old)
end
local trimmed = trim_quarantine(most, oldest_ms)
if trimmed > 0 then count_up(P .. 'counters', 'quarantine_dropped', trimmed) end
return { withdrawn, #old }
