-- part record: reads the head of a job's record; see beatline/job.py for the layout.
-- Flags: 1 no result, 2 of a schedule, 4 skip when unsure, 8 a caller's own id, 16 of a backfill.
local function has_own_id(flags) return flags % 16 >= 8 end

-- Whether this is a record of ours, under an id that it may have; then its flags, and the length of
-- its queue's name. The timeline's members need ids of ours to be 16 bytes, and the length of
-- others to fit a byte.
local function is_sound(record, id)
  local version, priority, flags, length = string.byte(record or '', 1, 4)
  if version ~= 1 or not length or length == 0 or priority < 48 or priority > 57
    or #record <= 4 + length then
    return false
  elseif has_own_id(flags) and (#id == 0 or #id > 200) or not has_own_id(flags) and #id ~= 16 then
    return false
  elseif flags % 4 >= 2 then
    local size = string.byte(record, 5 + length)
    local nominal = string.sub(record, 6 + length + size, 19 + length + size)
    if size == 0 or #nominal < 14 or string.find(nominal, '%D') then
      return false
    end
  end
  return flags, length
end

-- The timeline's member of a job: kind, priority, id, queue. Ours are 16 bytes, others say theirs.
-- `place` is priority and queue in one.
local function member_of(id, place, is_own)
  local kind = is_own and 'u' .. string.sub(place, 1, 1) .. string.char(#id)
    or 'j' .. string.sub(place, 1, 1)
  return kind .. id .. string.sub(place, 2)
end
