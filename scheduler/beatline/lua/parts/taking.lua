-- part taking: ready ids into a consumer's hands.
-- Entries that one call looks at: dropping a stale one costs the server 1 µs to 5 µs.
local MOST_SEEN = 2000
-- One take in so many begins with another priority than the highest.
local AGED_EVERY = 16

-- Where a take begins among the priorities of a queue; 0 is the highest. Aging: one take in 16,
-- drawn by the clock, begins with one of the others, all alike, goes on downwards and ends with
-- those above, so that no priority waits for ever. The clock keeps no state that could be lost or
-- start anew with each child; the last microseconds are spread, because takes may come at a beat.
local function first_of(used)
  local lot = now_us % 1000003 * 7919 % 1009
  return used > 1 and lot % AGED_EVERY == 0 and 1 + math.floor(lot / AGED_EVERY) % (used - 1) or 0
end

-- Adds to `ids` and `records` up to `limit`, queue by queue, highest priority first but for
-- aged takes. Returns both, the id that is to be run alone or "", and whether all lists were seen
-- to their end.
local function take_ready(ids, records, queues, limit, holding, is_marked)
  local seen, jobs = 0, P .. 'jobs'
  for queue in string.gmatch(queues, '[^,]+') do
    local entry = safely('HGET', P .. 'queues', queue) or rarely().queue_entry(queue)
    local used = string.byte(entry) == 80 and 0 or #entry - 1
    local first = first_of(used)
    for step = 0, used - 1 do
      local at = 2 + (first + step) % used
      local place = queue .. ':' .. string.sub(entry, at, at)
      local popped = safely('LPOP', P .. 'ready:' .. place, limit - #ids)
      while popped do
        local found, is_plain = safely('HMGET', jobs, unpack(popped)), not is_marked
        for i = 1, #popped do
          is_plain = is_plain and is_sound(found[i], popped[i])
        end
        seen = seen + #popped
        if is_plain and #ids == 0 then
          ids, records = popped, found
        else
          local alone, is_over = rarely().sift(place, popped, found, ids, records, holding)
          if is_over then
            return ids, records, alone, false
          end
        end
        if #ids >= limit or seen >= MOST_SEEN then
          return ids, records, '', false
        end
        popped = safely('LPOP', P .. 'ready:' .. place, limit - #ids)
      end
    end
  end
  return ids, records, '', true
end

-- Longer than what small hashes may hold: such a hash is searched from end to end for each field,
-- which doubles the cost of a batch where eight children hold 32 jobs each.
local LONG = '----------------------------------------------------------------------'

-- Records what was taken from the `first` id on as held, each job under its own fence (R11). Only
-- the first of these fences is told: each of the others is one more than the one before.
local function hold(held, consumer, ids, fences, first)
  local count = #ids - first + 1
  local fence, last = draw_fence(count)
  fences[first] = count > 1 and text(fence) or last
  -- Formatting a fence costs as much as a call: their first digits are shared.
  local tail = tonumber(string.sub(last, -6))
  local shared = #last > 6 and tail + 1 >= count
    and string.gsub(consumer .. ':' .. string.sub(last, 1, -7), '%%', '%%%%') .. '%06d'
  local fields, width = {}, 0
  if count >= 8 then fields, width = { '', LONG }, 2 end
  for i = 1, count do
    fields[width + 1] = ids[first + i - 1]
    fields[width + 2] = shared and string.format(shared, tail - count + i)
      or consumer .. ':' .. text(fence + i - 1)
    width = width + 2
  end
  safely('HSET', held, unpack(fields))
  if count >= 8 then call('HDEL', held, '') end
end
