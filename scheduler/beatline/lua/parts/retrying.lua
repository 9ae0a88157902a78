-- part ending: what is not the end of a job: a retry, or a task that no worker here knows.
-- Whether a living worker that listens to the job's queue has registered the task (R20).
local function is_known(job, body)
  local is_read, said = pcall(cjson.decode, body)
  local name = is_read and type(said) == 'table' and said.task
  for _, worker in ipairs(name and safely('ZRANGE', P .. 'workers', 0, 999) or {}) do
    local about = safely('HMGET', P .. 'worker:' .. worker, 'tasks', 'queues')
    local has_tasks, tasks = pcall(cjson.decode, about[1] or '')
    local queues = ',' .. (about[2] or '') .. ','
    local listens = string.find(queues, ',' .. job.queue .. ',', 1, true)
    for _, task in pairs(listens and has_tasks and type(tasks) == 'table' and tasks or {}) do
      if task == name then return true end
    end
  end
  return false
end

local function retry(id, job, outcome, body, ttl_ms, delay_ms)
  has_marks = true
  if outcome == 'retry' then
    count_up(P .. 'attempts', id, 1)
  else
    local since = whole(safely('HGET', P .. 'unknown', id))
    if not since then
      since = now_ms
      call('HSET', P .. 'unknown', id, text(now_ms))
    end
    if now_ms - since > ttl_ms and not is_known(job, body) then
      return bury(id, job, body, math.max(ttl_ms, 86400000))
    end
  end
  put_on_timeline(timeline_member(id, job), now_ms + delay_ms)
end
