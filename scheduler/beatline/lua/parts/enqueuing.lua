-- part enqueuing: the whole transition of enqueue.lua, whatever its jobs are.
local function enqueue_all()
  local sender, number, check = ARGV[2], ARGV[3], ARGV[4] == '1'
  if #ARGV > 30004 then
    return redis.error_reply('TOOLARGE a call of over 10,000 jobs: send 1,000')
  end
  local book = P .. 'senders:' .. string.format('%d', math.floor(now_ms / 3600000))
  local entry = safely('HGET', book, sender) or other_entry(sender)
  local last = entry and tonumber(string.match(entry, '^(%d+):') or '')
  if last and last < 9e15 and last >= tonumber(number) then
    return repeated(book, sender, number, entry)
  end

  local refused, fields, timed, earliest, ready, order = {}, {}, nil, 1 / 0, {}, {}
  local seen = check and {}
  for at = 5, #ARGV, 3 do
    local id, due, record = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local flags, length = is_sound(record, id)
    if not flags then
      return redis.error_reply('BADRECORD job ' .. text((at - 2) / 3) .. ' has no readable record')
    elseif check and (seen[id] or safely('HEXISTS', P .. 'jobs', id) == 1
      or safely('STRLEN', P .. 'result:' .. id) > 0) then
      -- A caller's own id is refused while it lives and while its finished marker stands.
      refused[#refused + 1] = text((at - 2) / 3)
    else
      if check then seen[id] = true end
      fields[#fields + 1] = id
      fields[#fields + 1] = record
      local place = string.sub(record, 2, 2) .. string.sub(record, 5, 4 + length)
      local due_ms = due == '0' and 0 or tonumber(due)
        + (string.byte(due) == 43 and math.ceil(now_us / 1000) or 0)
      if due_ms > now_us / 1000 then
        earliest = math.min(earliest, due_ms)
        timed = timed or {}
        timed[#timed + 1] = string.format(due_ms % 1 == 0 and '%.0f' or '%.3f', due_ms)
        timed[#timed + 1] = member_of(id, place, has_own_id(flags))
      elseif ready[place] then
        table.insert(ready[place], id)
      else
        ready[place], order[#order + 1] = { id }, place
      end
    end
  end

  -- The first write, which OOM denies.
  for first = 1, #fields, 2000 do
    safely('HSET', P .. 'jobs', unpack(fields, first, math.min(first + 1999, #fields)))
  end
  if timed then put_all_on_timeline(timed, earliest) end
  for _, place in ipairs(order) do
    if check and call('EXISTS', P .. 'tombs') == 1 then clear_tombs(ready[place]) end
    make_ready(string.sub(place, 2), string.sub(place, 1, 1), ready[place], false)
  end
  local refusals = table.concat(refused, ' ')
  -- Books are kept for an hour at least.
  if safely('HSET', book, sender, number .. ':' .. refusals) == 1 then
    call('EXPIRE', book, 7200)
  end
  return { 'OK', refusals, now_ms }
end
