-- part meeting: the job that an occurrence finds in its way.
-- An id in `open` whose job has gone (flushed), or is none (garbage), is no job in the way.
local function in_the_way(name)
  local open = P .. 'open:' .. name
  for _ = 1, 100 do
    local id = safely('SRANDMEMBER', open)
    if not id or read_record(safely('HGET', P .. 'jobs', id), id) then
      return id
    end
    call('SREM', open, id)
  end
end
