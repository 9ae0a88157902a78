-- promote: SCHEDULED | RETRYING -> QUEUED | RUNNING
-- Guarantee: an entry leaves the timeline and becomes ready in one step, never before its instant.
-- Schedules that are due stay where they are and are named in the reply: `fire` advances them.
-- ARGV: now, limit (at most 1000: longer calls keep other clients waiting).
-- REPLY: {moved, next due in ms or "", server's now in µs, {schedule, due in ms, …}}
-- include: prelude
-- defer: quarantine, marks, watched, fence, queues, handing, tombs
-- include: handing_one, make_ready
allow_when_full()
local limit = math.min(tonumber(ARGV[2]), 1000)
local now = string.format('%.3f', now_us / 1000)
local due = safely('ZRANGE', P .. 'timeline', '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)

-- Id, and priority with queue, of a job's member.
local function read_member(member)
  local kind, priority, size = string.byte(member, 1, 3)
  if not size or priority < 48 or priority > 57 then
    return nil
  elseif kind == 106 and #member > 18 then
    return string.sub(member, 3, 18), string.sub(member, 2, 2) .. string.sub(member, 19)
  elseif kind == 117 and #member > 3 + size then
    return string.sub(member, 4, 3 + size), string.sub(member, 2, 2) .. string.sub(member, 4 + size)
  end
end

local schedules, groups, order, members = {}, {}, {}, {}
for _, member in ipairs(due) do
  if string.byte(member) == 115 and #member > 1 then
    schedules[#schedules + 1] = string.sub(member, 2)
    schedules[#schedules + 1] = call('ZSCORE', P .. 'timeline', member)
  else
    local id, group = read_member(member)
    members[#members + 1] = member
    if not id then
      rarely().quarantine('timeline', 'timeline', member, 'not a job and not a schedule')
    else
      local ids = groups[group]
      if not ids then
        ids, order[#order + 1] = {}, group
        groups[group] = ids
      end
      ids[#ids + 1] = id
    end
  end
end

if #schedules == 0 and #members > 0 then
  call('ZREMRANGEBYRANK', P .. 'timeline', 0, #members - 1)
elseif #members > 0 then
  call('ZREM', P .. 'timeline', unpack(members))
end
local has_tombs = call('EXISTS', P .. 'tombs') == 1
for _, group in ipairs(order) do
  if has_tombs then rarely().clear_tombs(groups[group]) end
  make_ready(string.sub(group, 2), string.sub(group, 1, 1), groups[group], false)
end
local head = call('ZRANGE', P .. 'timeline', 0, 0, 'WITHSCORES')
return { #members, head[2] or '', text(now_us), schedules }
