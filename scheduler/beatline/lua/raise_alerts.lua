-- raise_alerts: tells which schedules have not succeeded within their time (`expect_within`).
-- Guarantee: time in which no beat watched does not count (G10): deadlines are instants of W. Each
-- alert is raised once, and stands until the next success, a pause or another declaration.
-- ARGV: now, most alerts at once.
-- REPLY: {names of schedules whose alert was raised, names of those that succeeded after one}
-- include: prelude, numbers, watched
allow_when_full()
local expected, alerts, raised = P .. 'expected', P .. 'alerts', {}
for _, name in ipairs(safely('ZRANGE', expected, '-inf', text(watched_ms()), 'BYSCORE',
  'LIMIT', 0, tonumber(ARGV[2]))) do
  call('ZREM', expected, name)
  local stored = safely('HMGET', P .. 'sched:' .. name, 'rev', 'expect', 'last_success')
  local within_ms = whole(stored[2])
  if stored[1] and within_ms then
    safely('HSET', alerts, name, table.concat(
      { text(now_ms), text(within_ms), text(whole(stored[3]) or 0) }, ' '))
    raised[#raised + 1] = name
  end
end
return { raised, safely('LPOP', P .. 'recovered', 100) or {} }
