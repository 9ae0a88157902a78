-- put_schedule: declares a schedule, or changes it; its ledger and counters stay.
-- Guarantee: one step; the last decided instant survives (R21): a next fire time that is not later
-- is refused and computed anew by the caller. Refused as a whole when memory is full.
-- ARGV: now, and the eleven arguments of a declaration (part declaring).
-- REPLY: {"CREATED"|"CHANGED"|"SAME", revision, next, due} | {"OWNED", source} | {"PASSED", last}
-- include: prelude, numbers, fence, timeline, watched, expecting, declaring
local one, placed = judge_declared(2), {}
if one.refusal then
  return one.refusal
end
local answer = write_declared(one, one.same and '' or text(draw_fence(1)), placed)
if placed.earliest then
  put_all_on_timeline(placed, placed.earliest)
end
return answer
