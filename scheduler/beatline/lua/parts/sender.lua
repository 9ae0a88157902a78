-- part sender: calls of senders that repeat themselves, or whose last call was in another hour (R8).
-- What was noted in the hour before, or, where the clock went back, in the hour to come.
local function other_entry(sender)
  local hour = math.floor(now_ms / 3600000)
  return safely('HGET', P .. 'senders:' .. text(hour - 1), sender)
    or safely('HGET', P .. 'senders:' .. text(hour + 1), sender)
end

-- The answer to a call that has been carried out, or overtaken by a later one. It is noted again, so
-- that WAIT and WAITAOF have something to wait for (R9), also when memory is short.
local function repeated(book, sender, number, entry)
  allow_when_full()
  if safely('HSET', book, sender, entry) == 1 then
    call('EXPIRE', book, 7200)
  end
  local last, refusals = string.match(entry, '^(%d+):(.*)$')
  return { 'REPEATED', last == number and refusals or '', now_ms }
end
