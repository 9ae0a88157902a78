-- enqueue: new -> QUEUED | RUNNING | SCHEDULED
-- Guarantee: all jobs of a call or none; a repeated call number has no second effect (R8); refused
-- as a whole when memory is full (R24), except that a repeat is told what the first call did.
-- ARGV: now, sender, call, check ("1": ids are the caller's own), then per job: id, due, record.
--   due: "0" now, "+ms" after the server's now, or an instant in ms, with three decimals at most.
-- REPLY: {"OK"|"REPEATED", refused positions (1-based) separated by spaces, server's now in ms}
-- RAISES: BADRECORD a record cannot be read, or its id is not one; TOOLARGE over 10,000 jobs.
-- include: handing_one
-- defer: prelude, record, marks, watched, fence, queues, handing, tombs, sender
-- defer: make_ready, timeline, enqueuing
--
-- The usual call is one new job that is ready at once: it goes behind others that wait, or into the
-- hands of an idle consumer of this queue alone. It needs no part, and making their functions would
-- cost half of its time. Whatever else it finds, also after its first writes, the whole transition is
-- run from its beginning: HSET says the same twice.
local call, try, P = redis.call, redis.pcall, KEYS[1]
local record, id, number = ARGV[7], ARGV[5], ARGV[3]
if #ARGV == 7 and ARGV[6] == '0' and ARGV[4] == '0' and #id == 16 then
  local version, priority, flags, length = string.byte(record, 1, 4)
  local t = ARGV[1] == '0' and call('TIME') or { math.floor(ARGV[1] / 1e6), ARGV[1] % 1e6 }
  local now_us, now_ms = t[1] * 1000000 + t[2], t[1] * 1000 + math.floor(t[2] / 1000)
  local book = P .. 'senders:' .. string.format('%d', t[1] / 3600)
  local entry = try('HGET', book, ARGV[2])
  local last = type(entry) == 'string' and tonumber(string.match(entry, '^(%d+):') or '')
  if last and last < tonumber(number) and version == 1 and length and length > 0
    and priority > 47 and priority < 58 and flags % 16 < 8 and flags % 4 < 2
    and #record > 4 + length and type(try('HSET', P .. 'jobs', id, record)) == 'number' then
    local queue, digit = string.sub(record, 5, 4 + length), string.char(priority)
    local list = P .. 'ready:' .. queue .. ':' .. digit
    local waiting = try('RPUSHX', list, id)
    local is_done = type(waiting) == 'number' and waiting > 0
    if waiting == 0 then
      local how = hand_one(queue, digit, id, record, now_us)
      is_done = how == 'handed' or how == 'nobody' and call('RPUSH', list, id)
    end
    if is_done then
      call('HSET', book, ARGV[2], number .. ':')
      return { 'OK', '', now_ms }
    end
  end
end
return rarely().enqueue_all()
