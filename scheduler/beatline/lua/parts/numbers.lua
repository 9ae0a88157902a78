-- part numbers: what is stored as a count or an instant; nil where it is garbage.
local function whole(value)
  return value and #value <= 15 and string.find(value, '^%d+$') and tonumber(value) or nil
end
