-- part acking: deliveries end only where `held` names them, consumer and fence (R7).
-- Takes ids out of `held`, each from ARGV with its fence behind it, `step` arguments apart, and
-- returns those that were there, in order, and their places in ARGV. The others are stale.
local function let_go(held, consumer, first, count, step, stale)
  local gone, places, many = {}, {}, 0
  for from = first, first + step * count - 1, step * 500 do
    local ids, kept = {}, many
    for at = from, math.min(from + step * 500, first + step * count) - 1, step do
      ids[(at - from) / step + 1] = ARGV[at]
    end
    local owners = safely('HMGET', held, unpack(ids))
    for i = 1, #ids do
      local at = from + step * (i - 1)
      if owners[i] == consumer .. ':' .. ARGV[at + 1] then
        many = many + 1
        gone[many], places[many] = ids[i], at
      else
        stale[#stale + 1] = ids[i]
      end
    end
    if many > kept then call('HDEL', held, unpack(gone, kept + 1, many)) end
  end
  return gone, places
end

-- Plain successes: of jobs that belong to no schedule and have ids of ours. Acks (step 2) keep no
-- result; behind id and fence of the others (step 3) it stands whole, to be kept for `ttl_ms`.
local function settle_plain(held, consumer, first, count, step, ttl_ms, stale)
  local gone, places = let_go(held, consumer, first, count, step, stale)
  if step == 3 then keep_results(gone, places, ttl_ms) end
  for from = 1, #gone, 1000 do
    safely('HDEL', P .. 'jobs', unpack(gone, from, math.min(from + 999, #gone)))
  end
  return gone
end
