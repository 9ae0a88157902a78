-- apply_schedules: a set of schedules is declared, and what it declares no more goes.
-- Guarantee: all or nothing, in one step. Everything is judged before anything is written; one
-- refusal, and nothing is changed. Refused as a whole when memory is full, unless it removes only.
-- Ledgers, counters and jobs stay as in put_schedule and remove_schedule.
-- ARGV: now, "apply" | "check" (judge only) | "mend" (put back what index and timeline lost of
--   those that are stored as declared, and tell the others), number of declarations, number of
--   removals, the eleven arguments of each declaration (part declaring), name and source of each
--   removal. The caller sees to it that a call has few enough of them.
-- REPLY: {"DONE"}, for "mend" with the indices of those that differ, from 1 on |
--   {"REFUSED", {index, "OWNED", source} | {index, "PASSED", last} …}; removals are counted on.
-- include: prelude, numbers, fence, timeline, watched, expecting, declaring, forgetting
local mode, count, removals = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local judged, done, refused, changes = {}, { 'DONE' }, { 'REFUSED' }, 0
for index = 1, count do
  local one = judge_declared(5 + (index - 1) * 11)
  judged[index] = one
  changes = changes + (one.same and 0 or 1)
  if mode == 'mend' and not one.same then
    done[#done + 1] = text(index)
  elseif one.refusal then
    refused[#refused + 1] = { text(index), one.refusal[1], one.refusal[2] }
  end
end
local after = 5 + count * 11
for index = 1, removals do
  local owner = other_owner(ARGV[after + 2 * index - 2], ARGV[after + 2 * index - 1])
  if owner then
    refused[#refused + 1] = { text(count + index), 'OWNED', owner }
  end
end
if #refused > 1 then
  return refused
elseif mode == 'check' then
  return done
end

if count == 0 then
  allow_when_full()
end
-- What a full memory denies comes first, so that it denies all.
local revision = mode == 'apply' and changes > 0 and draw_fence(changes) or 0
local placed = {}
for _, one in ipairs(judged) do
  if one.same then
    write_declared(one, '', placed)
  elseif mode == 'apply' then
    write_declared(one, text(revision), placed)
    revision = revision + 1
  end
end
if placed.earliest then
  put_all_on_timeline(placed, placed.earliest)
end
for index = 1, removals do
  forget_schedule(ARGV[after + 2 * index - 2])
end
return done
