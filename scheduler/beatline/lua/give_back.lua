-- give_back: RUNNING -> QUEUED | RUNNING | CANCELLED
-- What a living child holds beyond a fence and has not started goes back to the front, uncounted.
-- The supervisor has told the child not to start it (R5).
-- ARGV: now, worker, consumer, fence, result ttl in ms.
-- REPLY: {"OK", number of jobs returned}
-- include: prelude
-- include: fence
-- include: record
-- include: quarantine
-- include: queues
-- include: make_ready
-- include: timeline
-- include: ledger
-- include: finish
-- include: returning
allow_when_full()
local held, entries = P .. 'held:' .. ARGV[2], {}
local all = safely('HGETALL', held)
for at = 1, #all, 2 do
  local owner, fence = string.match(all[at + 1], '^(.*):(%d+)$')
  if owner == ARGV[3] and tonumber(fence) > tonumber(ARGV[4]) then
    entries[#entries + 1] = { all[at], fence, false }
  end
end
return_held(held, entries, '', 1000000, tonumber(ARGV[5]))
return { 'OK', #entries }
