-- part ledger: what became of each occurrence; a bounded list of events, oldest first.
-- An event is `<kind> <nominal ms> <at ms> …`; beatline/ledger.py reads and merges them. Those of
-- backfills lie in a list of their own, so that a long one pushes no others out.
-- Trimmed is what is longer by a tenth, so that few calls have to.
local LEDGER_EVENTS, BACKFILL_EVENTS = 600, 2000

local function note_in_ledger(schedule, ...)
  local key = P .. 'ledger:' .. schedule
  if safely('RPUSH', key, ...) > 1.1 * LEDGER_EVENTS then
    call('LTRIM', key, -LEDGER_EVENTS, -1)
  end
end

local function note_backfill(schedule, event)
  local key = P .. 'backfilled:' .. schedule
  safely('RPUSH', key, event)
  call('LTRIM', key, -BACKFILL_EVENTS, -1)
end
