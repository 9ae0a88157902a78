-- part living: the job behind an id, for who wants to change it.
-- Returns it, or nil and what is answered where there is none: it is over, or was never here.
local function living_job(id)
  local record = safely('HGET', P .. 'jobs', id)
  if not record then
    local result = safely('GET', P .. 'result:' .. id)
    return nil, result and { 'DONE', string.match(result, '^[A-Z]+') or '' } or { 'UNKNOWN', '' }
  end
  local job = read_record(record, id)
  if not job then
    call('HDEL', P .. 'jobs', id)
    quarantine('job', id, record, 'the record cannot be read')
  elseif not safely('ZSCORE', P .. 'dead', id) then
    return job
  end
  return nil, { 'DONE', 'DEAD' }
end
