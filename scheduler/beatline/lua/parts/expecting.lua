-- part expecting: schedules that have to succeed within a time, `expect_within`: a deadman's switch.
-- Needs prelude, numbers, watched. `expected`: schedule -> W at which an alert is due; `alerts`:
-- schedule -> its alert. W runs only while a beat watches: other time is not held against anybody.

-- Who was put to rest on purpose has to do nothing; who failed too often is not at rest in this sense.
local function rests_on_purpose(paused)
  return paused ~= '' and not string.find(paused, '^after %d+ failures in a row$')
end

-- The time begins now where it `begins` anew or for the first time; else deadline or alert stand. It
-- begins with the next fire time where that lies further ahead than the time is long.
local function expect_success(name, within, paused, due, begins)
  local within_ms, due_ms = whole(within), whole(due)
  if not within_ms or rests_on_purpose(paused) then
    safely('ZREM', P .. 'expected', name)
    safely('HDEL', P .. 'alerts', name)
    return
  end
  local is_known = safely('ZSCORE', P .. 'expected', name)
    or safely('HEXISTS', P .. 'alerts', name) == 1
  if not due_ms or is_known and not begins then
    return
  end
  local ahead_ms = due_ms - now_ms > within_ms and due_ms - now_ms or 0
  safely('HDEL', P .. 'alerts', name)
  safely('ZADD', P .. 'expected', text(watched_ms() + ahead_ms + within_ms), name)
end
