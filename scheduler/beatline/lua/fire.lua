-- fire: new -> QUEUED | RUNNING | SCHEDULED; under cancel_running also SCHEDULED | RETRYING -> CANCELLED
-- An occurrence becomes a job, and its schedule advances, in one step (G2, R21).
-- Guarantee: the stored revision and next fire time must be those that the plan was made from;
-- whoever comes second changes nothing. Overlap is decided here (R22). Refused whole under OOM.
-- ARGV: now, schedule, revision, expected next, new next ("" none), new due, overlap, then steps of
--   5 arguments: "fire", nominal, id, record, "caught_up" or "";
--             or "missed", first nominal, last nominal, reason, count.
-- REPLY: {"OK", fired, skipped} | {"STALE"|"PAUSED"|"ABSENT"|"EARLY", revision, next, due}
-- include: prelude, numbers, record, job, counting, quarantine, marks, ledger, meeting
-- defer: watched, fence, queues, handing, results, timeline, buffering, finish, place, cancelling
-- defer: overlapping
-- include: make_ready, tombs
local name, overlap, next_due = ARGV[2], ARGV[7], tonumber(ARGV[6])
local key, open, member = P .. 'sched:' .. name, P .. 'open:' .. name, 's' .. name
local stored = safely('HMGET', key, 'rev', 'next', 'due', 'paused')
local revision, expected, due = stored[1], stored[2], stored[3]
local refusal = not revision and 'ABSENT'
  or (stored[4] or '') ~= '' and 'PAUSED'
  or (revision ~= ARGV[3] or expected ~= ARGV[4]) and 'STALE'
  or ARGV[8] and (whole(due) or 0) > now_ms and 'EARLY'
if refusal then
  if refusal == 'ABSENT' or refusal == 'PAUSED' then
    safely('ZREM', P .. 'timeline', member)
  elseif refusal == 'EARLY' then
    -- The timeline disagrees with the schedule; left there, beat would ask for ever.
    safely('ZADD', P .. 'timeline', due, member)
  end
  return { refusal, revision or '', expected or '', due or '' }
end

-- The first write, which OOM denies: a refused fire leaves the schedule where it was (R24).
call('HSET', key, 'next', ARGV[5], 'due', ARGV[6])

local fired, skipped = 0, 0
for at = 8, #ARGV, 5 do
  local kind, nominal, id, record = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  if kind == 'missed' then
    note_in_ledger(name, table.concat(
      { 'missed', nominal, text(now_ms), id, ARGV[at + 4], record }, ' '))
    count_up(key, 'missed', ARGV[at + 4])
    call('HSET', key, 'decided', id)
  else
    local job = read_record(record, id)
    local other, waits = overlap ~= 'allow' and in_the_way(name), false
    if other and overlap ~= 'skip' then
      other, waits = rarely().resolve(overlap, name, other)
    end
    if not job then
      note_in_ledger(name, table.concat(
        { 'missed', nominal, text(now_ms), nominal, '1', 'unreadable record' }, ' '))
    elseif other or safely('HSETNX', P .. 'jobs', id, record) == 0 then
      skipped = skipped + 1
      note_in_ledger(name, table.concat({ 'skipped', nominal, text(now_ms), other or id }, ' '))
      count_up(key, 'skipped', 1)
    else
      fired = fired + 1
      safely('SADD', open, id)
      note_in_ledger(name, table.concat(
        { 'fired', nominal, text(now_ms), id, ARGV[at + 4] }, ' '))
      count_up(key, 'fired', 1)
      clear_tombs({ id })
      if waits then
        rarely().await_turn(name, id, job)
      else
        make_ready(job.queue, job.priority, { id }, false)
      end
    end
    call('HSET', key, 'last', nominal, 'decided', nominal)
  end
end
if next_due then
  safely('ZADD', P .. 'timeline', text(next_due), member)
else
  safely('ZREM', P .. 'timeline', member)
end
return { 'OK', fired, skipped }
