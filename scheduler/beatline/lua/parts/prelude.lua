-- part prelude: the partition's prefix, the clock, and calls that survive wrong-typed keys (R25).
-- KEYS[1] is the partition's prefix "{ns:p}:"; ARGV[1] is the time in µs, "0" for the server's.
local P = KEYS[1]
local now_us = tonumber(ARGV[1])
if now_us == 0 then
  local t = redis.call('TIME')
  now_us = t[1] * 1000000 + t[2]
end
local now_ms = math.floor(now_us / 1000)

-- Numbers become text only here: the `..` operator keeps 14 digits.
local function text(number)
  return string.format('%.0f', number)
end

-- Renames a key that is not of our type, and notes it where a person sees it.
local function set_aside(key)
  local away = P .. 'aside:' .. string.sub(key, #P + 1) .. ':' .. text(now_us)
  redis.call('RENAME', key, away)
  if redis.call('TYPE', P .. 'quarantine').ok ~= 'zset' then
    redis.call('DEL', P .. 'quarantine')
  end
  redis.call('ZADD', P .. 'quarantine', now_ms, 'key ' .. away)
end

-- Runs a command; a key of the wrong type is set aside and the command repeated on an absent key.
-- WRONGTYPE is answered before anything is written, so no half transition remains.
local function safely(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then
    return reply
  end
  if string.find(reply.err, 'WRONGTYPE', 1, true) or string.find(reply.err, 'not a valid', 1, true)
    or string.find(reply.err, 'not an integer', 1, true) then
    set_aside(key)
  end
  return redis.call(command, key, ...)
end

-- For transitions that must also work when memory is short: the first write decides (R24).
local function allow_when_full()
  redis.call('DEL', P .. 'absent')
end
