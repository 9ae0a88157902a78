-- part unfilled: fire times that a backfill skipped, for the ledger: one event for several in a row.
-- The job in the way of the first is in the way of all: under a policy that skips, none ends here.
local unfilled = nil

local function pass_over(nominal, other)
  unfilled = unfilled or { first = nominal, count = 0, other = other }
  unfilled.last, unfilled.count = nominal, unfilled.count + 1
end

local function note_unfilled(name, run)
  if unfilled then
    note_backfill(name, table.concat({ 'unfilled', unfilled.first, text(now_ms), unfilled.last,
      text(unfilled.count), unfilled.other, run }, ' '))
    unfilled = nil
  end
end
