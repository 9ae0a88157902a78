-- part job: the head of a record as a table, and what else is made of it.
local FLAG_IGNORE_RESULT, FLAG_SCHEDULE, FLAG_SKIP_UNSURE, FLAG_OWN_ID = 1, 2, 4, 8
local FLAG_BACKFILL = 16

local function has_flag(job, flag)
  return job.flags % (2 * flag) >= flag
end

-- The job behind a record of which is_sound has said flags and length.
local function job_of(record, flags, length)
  local job = {
    flags = flags,
    priority = string.sub(record, 2, 2),
    queue = string.sub(record, 5, 4 + length),
  }
  if flags % 4 >= FLAG_SCHEDULE then
    local at = 5 + length
    local size = string.byte(record, at)
    job.schedule = string.sub(record, at + 1, at + size)
    job.nominal = string.match(string.sub(record, at + size + 1, at + size + 14), '^0*(%d+)$')
  end
  return job
end

-- Nil where the record is not one of ours, or the id not one that it may have.
local function read_record(record, id)
  local flags, length = is_sound(record, id)
  return flags and job_of(record, flags, length) or nil
end

local function timeline_member(id, job)
  return member_of(id, job.priority .. job.queue, has_flag(job, FLAG_OWN_ID))
end
