-- renew: RUNNING -> RUNNING | QUEUED | CANCELLED
-- A worker keeps all that its children hold: one ZADD, whatever they hold. The comparison also gives
-- back entries of `held` that are garbage: nobody could ever settle them.
-- Guarantee: a worker that was struck hears it (GONE, UNKNOWN) and cannot renew; one whose register
-- of consumers is lost hears UNKNOWN, and registers anew.
-- ARGV: now, worker, lease in ms, flags ("c": compare the list that follows; "h": first come a count
--   of control messages that were heard, and those), (id, fence)*.
-- REPLY: {"OK"|"GONE"|"UNKNOWN", now in µs, cancelled ids held here, ids no longer held here,
--   ids held here that the list lacks, control messages, consumer:fence of each cancelled id}
-- include: prelude, numbers, watched
-- defer: record, job, counting, quarantine, marks, fence, queues, handing, handing_one, make_ready, ledger
-- defer: results, timeline, buffering, closing, finish, holding, consumer, returning
allow_when_full()
local worker, lease_ms, held = ARGV[2], tonumber(ARGV[3]), P .. 'held:' .. ARGV[2]
if safely('ZSCORE', P .. 'gone', worker) then
  return { 'GONE', text(now_us), {}, {}, {}, {}, {} }
elseif not safely('ZSCORE', P .. 'workers', worker) then
  return { 'UNKNOWN', text(now_us), {}, {}, {}, {}, {} }
end
call('ZADD', P .. 'workers', text(watched_ms() + lease_ms), worker)
safely('HSET', P .. 'worker:' .. worker, 'renewed', text(now_ms), 'lease_ms', text(lease_ms),
  'suspect', '')

local first, control = 5, P .. 'control:' .. worker
if string.find(ARGV[4], 'h', 1, true) then
  first = 6 + tonumber(ARGV[5])
  for at = 6, first - 1 do safely('LREM', control, 1, ARGV[at]) end
end
local cancelled, owners, lost, unlisted = {}, {}, {}, {}
local flags = safely('HGETALL', P .. 'cancelled')
for at = 1, #flags, 2 do
  local owner = safely('HGET', held, flags[at])
  if owner then
    cancelled[#cancelled + 1], cancelled[#cancelled + 2] = flags[at], flags[at + 1]
    owners[#owners + 1] = owner
  elseif safely('HEXISTS', P .. 'jobs', flags[at]) == 0 then
    call('HDEL', P .. 'cancelled', flags[at])
  end
end
if string.find(ARGV[4], 'c', 1, true) then
  local mine, garbage = rarely().held_by(held)
  local fences, listed = {}, {}
  for _, one in ipairs(mine) do fences[one.id] = one.digits end
  for at = first, #ARGV, 2 do
    local id = ARGV[at]
    listed[id] = true
    -- A job whose record is gone too has been flushed: its run may finish as UNKNOWN (R27).
    if fences[id] ~= ARGV[at + 1] and safely('HEXISTS', P .. 'jobs', id) == 1 then
      lost[#lost + 1] = id
    end
  end
  for _, one in ipairs(mine) do
    if not listed[one.id] then
      unlisted[#unlisted + 1], unlisted[#unlisted + 2] = one.id, one.owner .. ':' .. one.digits
    end
  end
  if #garbage > 0 then rarely().return_held(held, garbage, '', 1000000, 86400000) end
end
local registered = safely('HGET', P .. 'worker:' .. worker, 'registered')
local is_known = safely('HLEN', P .. 'consumers:' .. worker) >= (tonumber(registered or '') or 0)
return { is_known and 'OK' or 'UNKNOWN', text(now_us), cancelled, lost, unlisted,
  safely('LRANGE', control, 0, 99), owners }
