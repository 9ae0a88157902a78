-- part record: reads the head of a job's record; see beatline/job.py for the layout.
local FLAG_IGNORE_RESULT, FLAG_SCHEDULE, FLAG_SKIP_UNSURE, FLAG_OWN_ID = 1, 2, 4, 8

local function has_flag(job, flag)
  return bit.band(job.flags, flag) ~= 0
end

-- The head as a table, or nil where the record is not one of ours.
local function read_record(record)
  if not record or #record < 5 or string.byte(record, 1) ~= 1 then
    return nil
  end
  local length = string.byte(record, 4)
  local job = {
    priority = string.sub(record, 2, 2),
    flags = string.byte(record, 3),
    queue = string.sub(record, 5, 4 + length),
  }
  if #job.queue ~= length or length == 0 or not string.find(job.priority, '^%d$') then
    return nil
  end
  if has_flag(job, FLAG_SCHEDULE) then
    local at = 5 + length
    local size = string.byte(record, at) or 0
    job.schedule = string.sub(record, at + 1, at + size)
    job.nominal = string.match(string.sub(record, at + size + 1, at + size + 14), '^0*(%d+)$')
    if #job.schedule ~= size or size == 0 or not job.nominal then
      return nil
    end
  end
  return job
end

-- The timeline's member of a job: kind, priority, id, queue. Ours are 16 bytes, others say theirs.
local function timeline_member(id, job)
  if has_flag(job, FLAG_OWN_ID) then
    return 'u' .. job.priority .. string.char(#id) .. id .. job.queue
  end
  return 'j' .. job.priority .. id .. job.queue
end
