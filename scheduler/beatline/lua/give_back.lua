-- give_back: RUNNING -> QUEUED | RUNNING | CANCELLED
-- What a living child holds beyond a fence and has not started goes back to the front, uncounted.
-- The supervisor has told the child not to start it (R5), up to the last fence that it knew then: a
-- call that comes late, or crosses with the child's next take, returns nothing that may be running.
-- ARGV: now, worker, consumer, fence, result ttl in ms, last fence ("" all).
-- REPLY: {"OK", number of jobs returned}
-- include: prelude, numbers, record, job, counting, quarantine, marks
-- defer: watched, fence, queues, handing
-- include: handing_one, make_ready, ledger, results, timeline, buffering, closing, finish
-- include: holding, consumer, returning
allow_when_full()
local worker, consumer, held = ARGV[2], ARGV[3], P .. 'held:' .. ARGV[2]
local after, up_to, ttl_ms = tonumber(ARGV[4]), tonumber(ARGV[6] or ''), tonumber(ARGV[5])
local mine, entries, is_returned = held_by(held, consumer), {}, {}
for _, one in ipairs(mine) do
  if one.fence > after and one.fence <= (up_to or one.fence) then
    entries[#entries + 1], is_returned[one.fence] = one, true
  end
end
-- What lies unopened goes back too: it is not to be opened before that.
local entry = #entries > 0 and safely('HGET', P .. 'consumers:' .. worker, consumer)
local unopened = {}
if entry then strike(worker, consumer, entry, unopened) end
for _, one in ipairs(mine) do
  if unopened[one.fence] and not is_returned[one.fence] then entries[#entries + 1] = one end
end
return_held(held, entries, '', 1000000, ttl_ms)
return { 'OK', #entries }
