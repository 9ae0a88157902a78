-- fire: new -> QUEUED | RUNNING | SCHEDULED; under cancel_running also SCHEDULED | RETRYING -> CANCELLED
-- Occurrences become jobs, and their schedules advance, in one step (G2, R21).
-- Guarantee: a schedule's stored revision and next fire time must be those that its plan was made
-- from; whoever comes second changes nothing. Overlap is decided here (R22). Under OOM the call is
-- refused whole.
-- ARGV: now, then per schedule: name, revision, expected next, new next ("" none), new due, overlap,
--   number of steps, and steps of 5 arguments: "fire", nominal, id, record, "caught_up" or "";
--             or "missed", first nominal, last nominal, reason, count.
-- REPLY: {server's now in µs, due in ms of the timeline's head or "", then per schedule:
--   {"OK", fired, skipped} | {"STALE"|"PAUSED"|"ABSENT"|"EARLY"}}
-- include: prelude, numbers, record, job, counting, ledger, meeting
-- defer: quarantine, marks, watched, fence, queues, handing, results, timeline, buffering, closing, finish
-- defer: place, cancelling, overlapping, tombs
-- include: handing_one, make_ready, occurring, advancing
local reply, at = { text(now_us), '' }, 2
while ARGV[at] do
  local steps = tonumber(ARGV[at + 6])
  reply[#reply + 1] = advance(at, steps)
  at = at + 7 + 5 * steps
end
flush()
reply[2] = safely('ZRANGE', P .. 'timeline', 0, 0, 'WITHSCORES')[2] or ''
return reply
