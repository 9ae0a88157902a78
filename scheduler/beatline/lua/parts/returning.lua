-- part returning: held jobs back to the front of their queues, in the order of their fences.
-- Charges a death of its process to a job. False where the job ended by it: dead, or lost.
local function survives_charge(id, job, forensics, max_deliveries, ttl_ms)
  if has_flag(job, FLAG_SKIP_UNSURE) then
    finish(id, job, 'LOST', forensics, ttl_ms)
    return false
  end
  if safely('HINCRBY', P .. 'deliveries', id, 1) >= max_deliveries then
    bury(id, job, forensics, ttl_ms)
    return false
  end
  return true
end

-- `entries`: {id, fence, charged}, taken out of `held` here. Cancelled jobs end (R18).
local function return_held(held, entries, forensics, max_deliveries, ttl_ms)
  table.sort(entries, function(a, b) return tonumber(a[2]) < tonumber(b[2]) end)
  local groups, order = {}, {}
  for _, entry in ipairs(entries) do
    local id = entry[1]
    safely('HDEL', held, id)
    local record = safely('HGET', P .. 'jobs', id)
    local job = read_record(record)
    if not job then
      safely('HDEL', P .. 'jobs', id)
      if record then
        quarantine('job', id, record, 'the record cannot be read')
      end
    elseif safely('HEXISTS', P .. 'cancelled', id) == 1 then
      finish(id, job, 'CANCELLED', '', ttl_ms)
    elseif not entry[3] or survives_charge(id, job, forensics, max_deliveries, ttl_ms) then
      local group = job.priority .. job.queue
      if not groups[group] then
        groups[group] = { job.queue, job.priority, {} }
        order[#order + 1] = group
      end
      local ids = groups[group][3]
      ids[#ids + 1] = id
    end
  end
  for _, group in ipairs(order) do
    make_ready(groups[group][1], groups[group][2], groups[group][3], true)
  end
end
