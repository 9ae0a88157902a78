-- part place: where a job is held. One lookup per worker; a worker being emptied still holds.
-- Only reads, also where a key is not of our type: then nothing is held there.
local holders

local function holder_of(id)
  if not holders then
    holders = {}
    for _, set in ipairs({ 'workers', 'gone' }) do
      local found = redis.pcall('ZRANGE', P .. set, 0, -1)
      for _, worker in ipairs(found.err and {} or found) do holders[#holders + 1] = worker end
    end
  end
  for _, worker in ipairs(holders) do
    local entry = redis.pcall('HGET', P .. 'held:' .. worker, id)
    if type(entry) == 'string' then
      return worker, entry
    end
  end
end
