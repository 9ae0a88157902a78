-- part handing_one: one ready job into the hands of a consumer that is idle in its queue alone (R10, R16).
-- The usual case of part handing, in one function that needs no other. Nobody waits in the queue's
-- list: the caller has seen that. Returns "handed"; "nobody" where none is idle; nil where this is
-- not the usual case. Then nothing has changed but the fence, or held and offers say what will be
-- said again, and the whole is to be done.
local function hand_one(queue, priority, id, record, now_us)
  local call, try, P = redis.call, redis.pcall, KEYS[1]
  if try('HGET', P .. 'queues', queue) ~= '-' .. priority
    or call('EXISTS', P .. 'deliveries', P .. 'attempts') > 0 then
    return nil
  end
  local member = try('SPOP', P .. 'idle:' .. queue)
  if type(member) ~= 'string' then return member == false and 'nobody' or nil end

  local worker, consumer, connection, queues = string.match(member, '^([^|]+)|([^|]+)|(%d+)|(.+)$')
  local deadline = queues == queue and try('ZSCORE', P .. 'workers', worker)
  local watched = try('HGET', P .. 'watch', 'w') or '0'
  local is_alive = type(deadline) == 'string' and type(watched) == 'string'
    and string.find(watched, '^%d+$') and deadline + 0 >= watched + 0
  local fence = string.format('%.0f', now_us)
  local before = is_alive and try('HEXISTS', P .. 'consumers:' .. worker, consumer) == 1
    and (try('SET', P .. 'fence', fence, 'GET') or '')
  if type(before) == 'string' then
    before = tonumber(before)
    if before and before >= now_us and before < 8e15 then
      fence = string.format('%.0f', math.floor(before) + 1)
      call('SET', P .. 'fence', fence)
    end
    local wake = consumer .. ':' .. connection
    local now_ms = string.format('%.0f', math.floor(now_us / 1000))
    -- The offer last: of two under different fences the first would be run in vain.
    if type(try('HSET', P .. 'held:' .. worker, id, consumer .. ':' .. fence)) == 'number'
      and type(try('ZADD', P .. 'offers', now_ms, worker .. '|' .. wake)) == 'number'
      and type(try('RPUSH', P .. 'wake:' .. wake,
        fence .. ' 0 0 ' .. #id .. '\n' .. id .. record)) == 'number' then
      return 'handed'
    end
  end
  call('SADD', P .. 'idle:' .. queue, member)
end
