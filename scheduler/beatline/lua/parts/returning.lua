-- part returning: held jobs back to the front of their queues, in the order of their fences.
-- Charges a death of its process to a job. False where the job ended by it: dead, or lost.
local function survives_charge(id, job, forensics, max_deliveries, ttl_ms)
  if has_flag(job, FLAG_SKIP_UNSURE) or safely('HEXISTS', P .. 'unsure', id) == 1 then
    finish(id, job, 'LOST', forensics, ttl_ms)
    return false
  end
  has_marks = true
  if count_up(P .. 'deliveries', id, 1) >= max_deliveries then
    bury(id, job, forensics, ttl_ms)
    return false
  end
  return true
end

-- `entries`: {id, fence, is_charged}, taken out of `held` here. Cancelled jobs end (R18).
local function return_held(held, entries, forensics, max_deliveries, ttl_ms)
  table.sort(entries, by_fence)
  local groups, order = {}, {}
  local has_cancelled = call('EXISTS', P .. 'cancelled') == 1
  for from = 1, #entries, 500 do
    local ids = {}
    for i = from, math.min(from + 499, #entries) do ids[#ids + 1] = entries[i].id end
    safely('HDEL', held, unpack(ids))
    local records = safely('HMGET', P .. 'jobs', unpack(ids))
    for i, id in ipairs(ids) do
      local job, entry = read_record(records[i], id), entries[from + i - 1]
      if not job then
        safely('HDEL', P .. 'jobs', id)
        if records[i] then
          quarantine('job', id, records[i], 'the record cannot be read')
        end
      elseif has_cancelled and safely('HEXISTS', P .. 'cancelled', id) == 1 then
        finish(id, job, 'CANCELLED', '', ttl_ms)
      elseif not entry.is_charged
        or survives_charge(id, job, forensics, max_deliveries, ttl_ms) then
        local group = job.priority .. job.queue
        if not groups[group] then
          groups[group] = { job.queue, job.priority, {} }
          order[#order + 1] = group
        end
        local ready = groups[group][3]
        ready[#ready + 1] = id
      end
    end
  end
  for _, group in ipairs(order) do
    make_ready(groups[group][1], groups[group][2], groups[group][3], true)
  end
end
