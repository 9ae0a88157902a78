-- part counting: counters in hashes. Garbage in one counts as nothing; its neighbours stay.
local function count_up(key, field, by)
  local reply = redis.pcall('HINCRBY', key, field, by)
  if type(reply) == 'table' then
    safely('HSET', key, field, by)
    return tonumber(by)
  end
  return reply
end
