-- pause_schedule: a schedule rests, or goes on; jobs that it made are not touched.
-- Instants that pass while it rests are recorded as missed when it goes on, and the rest with its
-- reason is noted in the ledger. "set_aside" puts one to rest that no beat can read, and notes it in
-- the quarantine (G13).
-- ARGV: now, name, "pause", "resume" or "set_aside", reason.
-- REPLY: {"OK"|"ABSENT", paused reason or "", next}
-- include: prelude, numbers, quarantine, timeline, watched, expecting, ledger
allow_when_full()
local name, key = ARGV[2], P .. 'sched:' .. ARGV[2]
local stored = safely('HMGET', key, 'rev', 'next', 'due', 'paused', 'def', 'expect',
  'paused_at')
if not stored[1] then
  return { 'ABSENT', '', '' }
end
local reason, due_ms = stored[4] or '', whole(stored[3])
if ARGV[3] == 'resume' then
  if reason ~= '' then
    if whole(stored[7]) then
      note_in_ledger(name, table.concat({ 'rested', stored[7], text(now_ms), reason }, ' '))
    end
    reason = ''
    call('HSET', key, 'resumed_at', text(now_ms), 'failures', '0')
    expect_success(name, stored[6], '', stored[3], true)
    if due_ms then
      put_on_timeline('s' .. name, due_ms)
    end
  end
else
  if reason == '' then
    call('HSET', key, 'paused_at', text(now_ms))
  end
  if ARGV[3] == 'set_aside' and reason ~= ARGV[4] then
    quarantine('schedule', name, stored[5] or '', ARGV[4])
  end
  reason = ARGV[4] == '' and 'by hand' or ARGV[4]
  -- One that cannot be read is still expected to succeed: nobody meant it to rest.
  if ARGV[3] == 'pause' then expect_success(name, '', reason) end
  safely('ZREM', P .. 'timeline', 's' .. name)
end
call('HSET', key, 'paused', reason)
return { 'OK', reason, stored[2] or '' }
