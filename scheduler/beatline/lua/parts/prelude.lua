-- part prelude: the partition's prefix, the clock, and calls that survive wrong-typed keys (R25).
-- KEYS[1] is the partition's prefix "{ns:p}:"; ARGV[1] is the time in µs, "0" for the server's.
local call, P, now_us = redis.call, KEYS[1], tonumber(ARGV[1])
if now_us == 0 then
  local t = call('TIME')
  now_us = t[1] * 1000000 + t[2]
end
local now_ms = math.floor(now_us / 1000)

-- Numbers become text only here: the `..` operator keeps 14 digits.
local function text(number)
  return string.format('%.0f', number)
end

-- Runs a command on a key that may not be of our type. Such a key is renamed, noted where a person
-- sees it, and the command is repeated on an absent key. WRONGTYPE is answered before anything is
-- written, so no half transition remains.
local function safely(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then
    return reply
  end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then
    local function set_aside(wrong)
      local away = P .. 'aside:' .. string.sub(wrong, #P + 1) .. ':' .. text(now_us)
      while call('EXISTS', away) == 1 do away = away .. '+' end
      call('RENAME', wrong, away)
      return 'key ' .. away
    end
    local notes, of_type = { set_aside(key) }, call('TYPE', P .. 'quarantine').ok
    if of_type ~= 'zset' and of_type ~= 'none' then
      notes[2] = set_aside(P .. 'quarantine')
    end
    for _, note in ipairs(notes) do call('ZADD', P .. 'quarantine', now_ms, note) end
  end
  return call(command, key, ...)
end

-- For transitions that must also work when memory is short: the first write decides (R24).
local function allow_when_full()
  call('DEL', P .. 'absent')
end
