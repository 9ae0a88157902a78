-- part telling: what a consumer holds already, for a reply (R6).
-- All of it, by rising fence.
local function tell_all(held, consumer, ids, fences, records)
  for i, entry in ipairs((held_by(held, consumer))) do
    ids[i], fences[i] = entry.id, entry.digits
  end
  for from = 1, #ids, 1000 do
    local last = math.min(from + 999, #ids)
    local found = safely('HMGET', P .. 'jobs', unpack(ids, from, last))
    for i = from, last do records[i] = found[i - from + 1] or '' end
  end
end

-- What was offered and not opened: the consumer does not know of it yet. Returns the id of one that
-- is to be run alone, or "".
local function tell_offered(held, consumer, unopened, ids, fences, records)
  local alone = ''
  for _, offer in ipairs(unopened) do
    local fence, id = read_offer(offer)
    if id and safely('HGET', held, id) == consumer .. ':' .. fence then
      ids[#ids + 1], fences[#fences + 1] = id, fence
      records[#records + 1] = safely('HGET', P .. 'jobs', id) or ''
      if count_of('deliveries', id) ~= '0' then alone = id end
    end
  end
  return alone
end

-- Charges and failed attempts of what is told, flat: position, deliveries, attempts.
local function marks_of_all(ids)
  local marks = {}
  for from = 1, #ids, 1000 do
    local last = math.min(from + 999, #ids)
    local charges = safely('HMGET', P .. 'deliveries', unpack(ids, from, last))
    local failures = safely('HMGET', P .. 'attempts', unpack(ids, from, last))
    for i = 1, #charges do
      if charges[i] or failures[i] then
        marks[#marks + 1] = from + i - 1
        marks[#marks + 1] = string.match(charges[i] or '', '^%d+$') or '0'
        marks[#marks + 1] = string.match(failures[i] or '', '^%d+$') or '0'
      end
    end
  end
  return marks
end
