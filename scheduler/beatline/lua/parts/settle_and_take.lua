-- part settle_and_take: the whole transition of settle.lua.
local function settle_and_take()
  local worker, consumer, number, flags = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
  local limit, connection, holding = math.min(tonumber(ARGV[6]), 3000), ARGV[7], tonumber(ARGV[8])
  local queues = ARGV[9]
  local held, books = P .. 'held:' .. worker, P .. 'consumers:' .. worker

  local entry = safely('HGET', books, consumer)
  if not is_alive(worker) then
    return redis.error_reply('LEASELOST worker ' .. worker .. ' has no lease')
  elseif not entry then
    return redis.error_reply('LEASELOST consumer ' .. consumer .. ' is not registered')
  end
  -- What part consumer says of an entry; "*" where the number of the last call is not known.
  local last, known, idle, alone = string.match(entry, '^(%d+)|(%d+)|([^|]*)|(.*)$')
  if not last then last, known, idle, alone = read_consumer(entry) end
  if tonumber(connection) < tonumber(known) then
    return redis.error_reply('SKIPPED connection ' .. connection .. ' is older than ' .. known)
  elseif tonumber(last) and number ~= tonumber(last) and number ~= last + 1 then
    return redis.error_reply('SKIPPED call ' .. ARGV[4] .. ' after ' .. last)
  end

  local is_repeated, settled, stale = number == tonumber(last), 0, {}
  local is_marked = call('EXISTS', P .. 'deliveries', P .. 'attempts', P .. 'tombs',
    P .. 'cancelled',
    P .. 'unknown', P .. 'progress', P .. 'checkpoints', P .. 'unsure') > 0
  if ARGV[13] and not is_repeated then
    local ended
    settled, ended = settle_all(held, consumer, 10, stale)
    if is_marked then forget_marks(ended) end
  end
  if settled == 0 then allow_when_full() end

  local ids, fences, records, unopened = {}, {}, {}, nil
  if idle ~= '' then unopened = leave_idle(worker, consumer, known, idle) end
  -- A consumer that has a job which is to be run alone gets nothing beside it (R4).
  if alone ~= '' and read_held(safely('HGET', held, alone) or '') ~= consumer then
    alone = ''
  end
  if is_repeated or string.find(flags, 's', 1, true) then
    tell_all(held, consumer, ids, fences, records)
    holding = #ids
  elseif unopened and unopened[1] then
    local lone = tell_offered(held, consumer, unopened, ids, fences, records)
    alone = lone ~= '' and lone or alone
  end

  local told, is_all_seen, idle_in = #ids, false, ''
  if alone == '' and told < limit then
    ids, records, alone, is_all_seen = take_ready(ids, records, queues, limit, holding, is_marked)
    if #ids > told then
      hold(held, consumer, ids, fences, told + 1)
    end
  end
  if #ids == 0 and is_all_seen and string.find(flags, holding == 0 and 'i' or 'h', 1, true) then
    enter_idle(worker, consumer, connection, queues)
    idle_in = queues
  end
  call('HSET', books, consumer, ARGV[4] .. '|' .. connection .. '|' .. idle_in .. '|' .. alone)
  return { is_repeated and 'REPEATED' or 'OK', now_us, stale, ids, fences, records,
    is_marked and marks_of_all(ids) or {}, idle_in }
end
