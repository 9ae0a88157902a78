-- part ledger: what became of each occurrence; a bounded list of events, oldest first.
-- An event is `<kind> <nominal ms> <at ms> …`; beatline/ledger.py reads and merges them.
local LEDGER_EVENTS = 600

local function note_in_ledger(schedule, event)
  local key = P .. 'ledger:' .. schedule
  safely('RPUSH', key, event)
  call('LTRIM', key, -LEDGER_EVENTS, -1)
end
