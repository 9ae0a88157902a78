-- part holding: what a worker's consumers have in their hands: `held:<worker>`, id -> consumer:fence.
local function read_held(value)
  local consumer, fence = string.match(value, '^(.*):(%d+)$')
  return consumer, tonumber(fence), fence
end

local function by_fence(a, b)
  return a.fence < b.fence
end

-- What one consumer holds, or all where none is named, by rising fence. Entries that are garbage
-- belong to nobody: they come in a list of their own, to be given back.
local function held_by(held, consumer)
  local all, mine, garbage = safely('HGETALL', held), {}, {}
  for at = 1, #all, 2 do
    local owner, fence, digits = read_held(all[at + 1])
    if not owner then
      garbage[#garbage + 1] = { id = all[at], fence = 0 }
    elseif not consumer or owner == consumer then
      mine[#mine + 1] = { id = all[at], fence = fence, digits = digits, owner = owner }
    end
  end
  table.sort(mine, by_fence)
  return mine, garbage
end
