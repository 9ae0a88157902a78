-- part settling: settlements with effects, 8 arguments each: id, fence, outcome, state, body,
-- ttl_ms, delay_ms, detail. Outcomes: end, retry, unknown (no such task here), return, bury.
-- Returns how many deliveries ended, and which of their jobs left no marks to be forgotten here.
local function settle_rich(held, consumer, first, stale)
  local count = math.floor((#ARGV + 1 - first) / 8)
  local gone, places = let_go(held, consumer, first, count, 8, stale)
  local ended, is_settled = {}, {}
  for from = 1, #gone, 500 do
    local last = math.min(from + 499, #gone)
    local records = safely('HMGET', P .. 'jobs', unpack(gone, from, last))
    local plain = #ended + 1
    for i = from, last do
      local id, at, record = gone[i], places[i], records[i - from + 1]
      local flags = is_sound(record, id)
      if is_settled[id] then
        stale[#stale + 1] = id
      elseif flags and ARGV[at + 2] == 'end' and flags % 4 < 2 and flags % 16 < 8 then
        ended[#ended + 1] = id
        if flags % 2 == 0 then keep_result(id, ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]) end
      elseif record then
        rarely().settle_special(id, record, at)
      end
      is_settled[id] = true
    end
    if #ended >= plain then safely('HDEL', P .. 'jobs', unpack(ended, plain)) end
  end
  return #gone, ended
end
