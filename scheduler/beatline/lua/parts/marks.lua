-- part marks: what is noted of a job beside its record, and only of jobs concerned.
local MARKS = { 'deliveries', 'attempts', 'cancelled', 'unknown', 'progress', 'checkpoints',
  'unsure' }

-- A count as digits; garbage counts as nothing.
local function count_of(mark, id)
  return string.match(safely('HGET', P .. mark, id) or '', '^%d+$') or '0'
end

local has_marks

-- Forgets all that is noted of jobs that have ended.
local function forget_marks(ids)
  if has_marks == nil then
    has_marks = call('EXISTS', P .. 'deliveries', P .. 'attempts', P .. 'cancelled',
      P .. 'unknown', P .. 'progress', P .. 'checkpoints', P .. 'unsure') > 0
  end
  if has_marks then
    for _, mark in ipairs(MARKS) do
      for first = 1, #ids, 1000 do
        safely('HDEL', P .. mark, unpack(ids, first, math.min(first + 999, #ids)))
      end
    end
  end
end
