-- part place: where a job is held. One lookup per worker; a worker being emptied still holds.
local function holder_of(id)
  for _, set in ipairs({ 'workers', 'gone' }) do
    for _, worker in ipairs(safely('ZRANGE', P .. set, 0, -1)) do
      local entry = safely('HGET', P .. 'held:' .. worker, id)
      if entry then
        return worker, entry
      end
    end
  end
end
