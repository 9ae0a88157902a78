-- part declaring: one schedule, declared or changed; read and judged first, written afterwards.
-- Needs prelude, numbers, fence, timeline, watched, expecting. A declaration is eleven arguments in a
-- row: name, definition, trigger, source, next ("" none), due, "1" where declared paused, "take" to
-- take over from another source, tzdata version, failures after which it pauses or "", ms within
-- which it has to succeed or "".

-- Versions of the zones as numbers: 2025.10 is newer than 2025.9.
local function version_of(zones)
  local year, rest = string.match(zones or '', '^(%d+)%.?(.*)$')
  return (tonumber(year) or 0) * 1000 + (tonumber(rest) or string.byte(rest or '') or 0)
end

-- What the declaration from ARGV[first] on meets and would do. Its `refusal` is a reply: {"OWNED",
-- source}, or {"PASSED", last} where the next fire time lies not after the last decided one (R21).
local function judge_declared(first)
  local name, source = ARGV[first], ARGV[first + 3]
  local one = { first = first, name = name, key = P .. 'sched:' .. name }
  local old = safely('HMGET', one.key, 'rev', 'def', 'trigger', 'source', 'next', 'due',
    'decided', 'paused', 'tz', 'expect')
  one.revision = old[1]
  if old[1] and old[4] ~= source and ARGV[first + 7] ~= 'take' then
    one.refusal = { 'OWNED', old[4] or '' }
    return one
  end

  -- Who paused it by hand has the last word; what was set aside unread is readable to its declarer.
  local before = old[8] or ''
  local paused, was_aside = before, string.sub(before, 1, 10) == 'unreadable'
  if was_aside or paused == 'declared' then
    paused = ''
  end
  if ARGV[first + 6] == '1' and paused == '' then
    paused = 'declared'
  end
  one.paused, one.was_paused = paused, before ~= ''

  -- The same trigger keeps its next fire time, unless newer zones than the stored ones name another.
  local next_ms, due_ms, tz = ARGV[first + 4], ARGV[first + 5], ARGV[first + 8]
  local old_next, old_due, decided = whole(old[5]), whole(old[6]), whole(old[7])
  one.kept = old[1] and not was_aside and old[3] == ARGV[first + 2] and old_next and old_due
    and (not decided or old_next > decided) and version_of(old[9]) >= version_of(tz)
  if one.kept then
    next_ms, due_ms, tz = old[5], old[6], old[9]
  end
  one.next, one.due, one.tz, one.within = next_ms, due_ms, tz, ARGV[first + 10] or ''
  one.expects_anew = not one.kept or rests_on_purpose(before) or old[10] ~= one.within
  one.same_definition = old[1] and old[2] == ARGV[first + 1]
  one.same = one.same_definition and old[4] == source and before == paused
    and old[3] == ARGV[first + 2] and old[5] == next_ms and old[6] == due_ms and old[9] == tz
  if not one.same and decided and next_ms ~= '' and tonumber(next_ms) <= decided then
    one.refusal = { 'PASSED', text(decided) }
  end
  return one
end

-- Carries out what was judged and not refused, under a revision that was drawn for it; the reply
-- is {word, revision, next, due}. What has to go on the timeline is added to `placed`.
local function write_declared(one, revision, placed)
  local first, member = one.first, 's' .. one.name
  if one.paused == '' and one.next ~= '' then
    if not one.same or not safely('ZSCORE', P .. 'timeline', member) then
      local due_ms = tonumber(one.due)
      placed[#placed + 1], placed[#placed + 2] = one.due, member
      placed.earliest = math.min(placed.earliest or due_ms, due_ms)
    end
  elseif not one.same then
    safely('ZREM', P .. 'timeline', member)
  end
  if one.same then
    safely('HSETNX', P .. 'schedules', one.name, one.revision)
    expect_success(one.name, one.within, one.paused, one.due, false)
    return { 'SAME', one.revision, one.next, one.due }
  end
  local fields = { 'rev', revision, 'def', ARGV[first + 1], 'trigger', ARGV[first + 2],
    'source', ARGV[first + 3], 'next', one.next, 'due', one.due, 'paused', one.paused,
    'tz', one.tz, 'pause_after', ARGV[first + 9] or '', 'expect', one.within }
  if not one.same_definition then
    -- A new next fire time may have come while the caller was on the way: it counts as after.
    local after = not one.kept and tonumber(one.next) or now_ms + 1
    fields[#fields + 1], fields[#fields + 2] = 'applied', text(math.min(now_ms, after - 1))
  end
  if one.was_paused ~= (one.paused ~= '') then
    fields[#fields + 1] = one.paused == '' and 'resumed_at' or 'paused_at'
    fields[#fields + 1] = text(now_ms)
  end
  call('HSET', one.key, unpack(fields))
  safely('HSET', P .. 'schedules', one.name, revision)
  expect_success(one.name, one.within, one.paused, one.due, one.expects_anew)
  return { one.revision and 'CHANGED' or 'CREATED', revision, one.next, one.due }
end
