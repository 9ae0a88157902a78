-- part advancing: one schedule advances, if what is stored of it is what its plan was made from.
-- Why a schedule does not advance, or nil.
local function refusal_of(member, key, revision, expected, steps)
  local stored = safely('HMGET', key, 'rev', 'next', 'due', 'paused')
  local due = whole(stored[3])
  if not stored[1] or (stored[4] or '') ~= '' then
    safely('ZREM', P .. 'timeline', member)
    return stored[1] and 'PAUSED' or 'ABSENT'
  elseif stored[1] ~= revision or stored[2] ~= expected then
    return 'STALE'
  elseif steps > 0 and due and due > now_ms then
    -- The timeline disagrees with the schedule; left there, beat would ask for ever.
    safely('ZADD', P .. 'timeline', text(due), member)
    return 'EARLY'
  end
end

-- The schedule whose arguments begin here.
local function advance(at, steps)
  local name, overlap, next_due = ARGV[at], ARGV[at + 5], tonumber(ARGV[at + 4])
  local key, member, first, final = P .. 'sched:' .. name, 's' .. name, at + 7, at + 2 + 5 * steps
  local refusal = refusal_of(member, key, ARGV[at + 1], ARGV[at + 2], steps)
  if refusal then return { refusal } end
  local fields = { 'next', ARGV[at + 3], 'due', ARGV[at + 4] }
  if steps > 0 then
    fields[5], fields[6] = 'decided', ARGV[final + (ARGV[final] == 'missed' and 2 or 1)]
  end
  for step = final, first, -5 do
    if ARGV[step] ~= 'missed' then
      fields[7], fields[8] = 'last', ARGV[step + 1]
      break
    end
  end
  -- The first write, which OOM denies: a refused fire leaves the schedule where it was (R24).
  call('HSET', key, unpack(fields))
  local fired, skipped = 0, 0
  for step = first, final, 5 do
    if ARGV[step] == 'missed' then
      missed(ARGV[step + 1], ARGV[step + 2], ARGV[step + 4], ARGV[step + 3])
      count_up(key, 'missed', ARGV[step + 4])
    else
      local outcome = occur(name, overlap, unpack(ARGV, step + 1, step + 4))
      fired, skipped = fired + (outcome or 0), skipped + (outcome == 0 and 1 or 0)
    end
  end
  flush_events(name)
  if fired > 0 then count_up(key, 'fired', fired) end
  if skipped > 0 then count_up(key, 'skipped', skipped) end
  if next_due then
    safely('ZADD', P .. 'timeline', text(next_due), member)
  else
    safely('ZREM', P .. 'timeline', member)
  end
  return { 'OK', fired, skipped }
end
