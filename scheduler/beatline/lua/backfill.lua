-- backfill: new -> QUEUED | RUNNING | SCHEDULED; under cancel_running also SCHEDULED | RETRYING -> CANCELLED
-- Jobs of past occurrences, one batch of a run.
-- Guarantee: one step: jobs, ledger, and how far the run has come. A batch that does not begin where
-- its run stands changes nothing: a run that is broken off and repeated makes each job once (R21).
-- What is planned stays as it is, also where the schedule rests. Refused whole under OOM.
-- ARGV: now, schedule, revision, run, where the run stands ("" before its first batch), overlap,
--   where it stands after this batch, "1" where that is its end, what a new run's entry notes, then
--   steps of 3 arguments: nominal, id, record.
-- REPLY: {"OK"|"FULL" (so many wait already; some steps may have been done)|"STALE"|"DONE"|"ABSENT"|
--   "CHANGED", the run's entry}: `<stands> <made> <skipped> <"1" done> <begun ms> <last ms> <note>`.
-- include: prelude, numbers, record, job, counting, quarantine, marks, ledger, meeting
-- defer: watched, fence, queues, handing
-- include: results, timeline, buffering, closing, finish, place
-- include: cancelling, overlapping, handing_one, make_ready, tombs
-- include: unfilled
-- Jobs of a schedule that wait for their turn at most; its own occurrences find room beside them.
local MOST_IN_LINE, MOST_RUNS = 500, 100
local name, run, overlap = ARGV[2], ARGV[4], ARGV[6]
local key, runs, line = P .. 'sched:' .. name, P .. 'backfills:' .. name, P .. 'buffered:' .. name
local revision, entry = safely('HGET', key, 'rev'), safely('HGET', runs, run) or ''
local stands, made, skipped, done, begun, note =
  string.match(entry, '^(%d+) (%d+) (%d+) ([01]) (%d+) %d+ (.*)$')
local refusal = not revision and 'ABSENT' or done == '1' and 'DONE'
  or (stands or '') ~= ARGV[5] and 'STALE' or revision ~= ARGV[3] and 'CHANGED'
if refusal then
  return { refusal, stands and entry or '' }
end
made, skipped = tonumber(made or 0), tonumber(skipped or 0)

local function is_full()
  return overlap == 'buffer_all' and safely('LLEN', line) >= MOST_IN_LINE
end

if ARGV[10] and is_full() then
  -- Where the job in the way was lost, nobody else may come by for long to send on the next.
  open_jobs(name)
  take_turn(name)
  return { 'FULL', stands and entry or '' }
end
-- The run that was worked at the longest time ago makes room for a new one.
local function oldest_run()
  local all, oldest, oldest_ms = safely('HGETALL', runs), nil, math.huge
  for at = 1, #all, 2 do
    local last_ms = tonumber(string.match(all[at + 1], '^%d+ %d+ %d+ [01] %d+ (%d+) ') or 0)
    if last_ms < oldest_ms then oldest, oldest_ms = all[at], last_ms end
  end
  return oldest
end
local leaving = not stands and safely('HLEN', runs) >= MOST_RUNS and oldest_run()
-- The first write, which OOM denies.
safely('HSET', runs, run, entry)
if leaving and leaving ~= run then call('HDEL', runs, leaving) end

local reached, word = ARGV[7], 'OK'
for at = 10, #ARGV, 3 do
  local nominal, id, record = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if is_full() then
    word = 'FULL'
    break
  end
  local job, other, waits = read_record(record, id), nil, false
  if overlap ~= 'allow' then other = in_the_way(name) end
  if other and overlap ~= 'skip' then other, waits = resolve(overlap, name, other) end
  if not job or other or safely('HSETNX', P .. 'jobs', id, record) == 0 then
    skipped = skipped + 1
    pass_over(nominal, other or id)
  else
    made = made + 1
    note_unfilled(name, run)
    safely('SADD', P .. 'open:' .. name, id)
    note_backfill(name, table.concat({ 'backfilled', nominal, text(now_ms), id, run }, ' '))
    count_up(key, 'backfilled', 1)
    clear_tombs({ id })
    if waits then
      await_turn(name, id, job)
    else
      make_ready(job.queue, job.priority, { id }, false)
    end
  end
  reached = nominal
end
note_unfilled(name, run)
local is_over = word == 'OK' and ARGV[8] == '1'
entry = table.concat({ word == 'OK' and ARGV[7] or reached, text(made), text(skipped),
  is_over and '1' or '0', begun or text(now_ms), text(now_ms), note or ARGV[9] }, ' ')
call('HSET', runs, run, entry)
return { word, entry }
