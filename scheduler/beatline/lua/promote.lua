-- promote: SCHEDULED | RETRYING -> QUEUED | RUNNING
-- Guarantee: an entry leaves the timeline and becomes ready in one step, never before its instant.
-- Schedules that are due stay where they are and are named in the reply: `fire` advances them.
-- ARGV: now, limit (at most 1000: longer calls keep other clients waiting).
-- REPLY: {moved, next due in ms or "", server's now in µs, {schedule, due in ms, …}}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
-- include: timeline
allow_when_full()
local limit = math.min(tonumber(ARGV[2]), 1000)
local due = safely('ZRANGE', P .. 'timeline', '-inf', text(now_ms), 'BYSCORE', 'LIMIT', 0, limit,
  'WITHSCORES')

local function read_member(member)
  local kind = string.byte(member, 1)
  if kind == 106 and #member > 18 then
    return string.sub(member, 3, 18), string.sub(member, 2, 2), string.sub(member, 19)
  elseif kind == 117 and #member > 4 then
    local size = string.byte(member, 3)
    return string.sub(member, 4, 3 + size), string.sub(member, 2, 2), string.sub(member, 4 + size)
  end
end

local schedules, groups, order, members, tombs = {}, {}, {}, {}, nil
tombs = redis.call('EXISTS', P .. 'tombs') == 1
for at = 1, #due, 2 do
  local member = due[at]
  if string.byte(member, 1) == 115 and #member > 1 then
    schedules[#schedules + 1] = string.sub(member, 2)
    schedules[#schedules + 1] = due[at + 1]
  else
    local id, priority, queue = read_member(member)
    members[#members + 1] = member
    if not id or not string.find(priority, '^%d$') or queue == '' then
      quarantine('timeline', 'timeline', member, 'not a job and not a schedule')
    else
      local place = tombs and safely('HGET', P .. 'tombs', id)
      if place then
        safely('LREM', P .. 'ready:' .. place, 0, id)
        safely('HDEL', P .. 'tombs', id)
      end
      local group = priority .. queue
      if not groups[group] then
        groups[group] = { queue, priority, {} }
        order[#order + 1] = group
      end
      local ids = groups[group][3]
      ids[#ids + 1] = id
    end
  end
end

if #members > 0 then
  if #schedules == 0 then
    redis.call('ZREMRANGEBYRANK', P .. 'timeline', 0, #members - 1)
  else
    redis.call('ZREM', P .. 'timeline', unpack(members))
  end
  for _, group in ipairs(order) do
    make_ready(groups[group][1], groups[group][2], groups[group][3], false)
  end
end
local head = redis.call('ZRANGE', P .. 'timeline', 0, 0, 'WITHSCORES')
return { #members, head[2] or '', text(now_us), schedules }
