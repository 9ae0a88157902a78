-- part taking: ready ids into a consumer's hands.
local function marks_of(ids, marks)
  if redis.call('EXISTS', P .. 'deliveries', P .. 'attempts') == 0 or #ids == 0 then
    return
  end
  local deliveries = safely('HMGET', P .. 'deliveries', unpack(ids))
  local attempts = safely('HMGET', P .. 'attempts', unpack(ids))
  for i = 1, #ids do
    if deliveries[i] or attempts[i] then
      marks[#marks + 1] = i
      marks[#marks + 1] = deliveries[i] or '0'
      marks[#marks + 1] = attempts[i] or '0'
    end
  end
end

-- All that a consumer holds, by rising fence.
local function list_held(held, consumer)
  local all, mine = safely('HGETALL', held), {}
  for at = 1, #all, 2 do
    local owner, fence = string.match(all[at + 1], '^(.*):(%d+)$')
    if owner == consumer then
      mine[#mine + 1] = { all[at], fence }
    end
  end
  table.sort(mine, function(a, b) return tonumber(a[2]) < tonumber(b[2]) end)
  local ids, fences, records, marks = {}, {}, {}, {}
  for i, entry in ipairs(mine) do
    ids[i], fences[i] = entry[1], entry[2]
    records[i] = safely('HGET', P .. 'jobs', entry[1]) or ''
  end
  marks_of(ids, marks)
  return ids, fences, records, marks
end

-- Drops an entry whose job is gone or elsewhere; what has no tomb is garbage, and is set aside.
local function is_stale(id, record, place, tombs)
  if tombs and safely('HDEL', P .. 'tombs', id) == 1 then
    return true
  end
  if not record then
    quarantine('ready', 'ready:' .. place, id, 'a ready id without a job')
    return true
  end
  if not read_record(record) then
    redis.call('HDEL', P .. 'jobs', id)
    quarantine('job', id, record, 'the record cannot be read')
    return true
  end
  return false
end

-- Pops up to `limit` ready ids, queue by queue, highest priority first. A job that was charged with
-- a death is delivered alone (R4): it and what follows it goes back to the front.
local function take_ready(held, consumer, queues, limit, holding, ids, fences, records, marks)
  local charged, first = redis.call('EXISTS', P .. 'deliveries') == 1, #ids + 1
  local tombs = redis.call('EXISTS', P .. 'tombs') == 1
  for queue in string.gmatch(queues, '[^,]+') do
    local entry = queue_entry(queue)
    for priority in string.gmatch(is_paused(entry) and '' or string.sub(entry, 2), '%d') do
      local place = queue .. ':' .. priority
      local list = P .. 'ready:' .. place
      local popped = limit > 0 and safely('LPOP', list, limit) or {}
      local found = #popped > 0 and safely('HMGET', P .. 'jobs', unpack(popped)) or {}
      for i, id in ipairs(popped) do
        if not is_stale(id, found[i], place, tombs) then
          if charged and safely('HEXISTS', P .. 'deliveries', id) == 1 then
            local alone = #ids == 0 and holding == 0
            for back = #popped, alone and i + 1 or i, -1 do redis.call('LPUSH', list, popped[back]) end
            limit = 0
            if not alone then break end
          end
          ids[#ids + 1], records[#records + 1] = id, found[i]
          if limit == 0 then break end
          limit = limit - 1
        end
      end
    end
  end
  local count = #ids - first + 1
  if count > 0 then
    local fence, fields = draw_fence(count), {}
    for i = 0, count - 1 do
      fences[first + i] = text(fence + i)
      fields[2 * i + 1], fields[2 * i + 2] = ids[first + i], consumer .. ':' .. fences[first + i]
    end
    safely('HSET', held, unpack(fields))
    marks_of(ids, marks)
  end
end
