-- part sifting: popped entries of which some are not to be taken.
-- Adds to `ids` and `records` what may be taken. An entry with a tomb is dropped, one without a
-- readable job is garbage. A job that was charged with a death is delivered alone, to a consumer that
-- holds nothing else (R4): it, or what follows it, goes back to the front.
-- Returns the id that is to be run alone or "", and whether to stop here.
local function sift(place, popped, found, ids, records, holding)
  local has_tombs = call('EXISTS', P .. 'tombs') == 1
  local has_charges = call('EXISTS', P .. 'deliveries') == 1
  for i, id in ipairs(popped) do
    local record = found[i]
    -- A tomb that names another list is garbage: the entry stands.
    local tomb = has_tombs and safely('HGET', P .. 'tombs', id)
    local is_stale = tomb == place
    if tomb then call('HDEL', P .. 'tombs', id) end
    if is_stale or not is_sound(record, id) then
      if not is_stale and record then
        call('HDEL', P .. 'jobs', id)
        quarantine('job', id, record, 'the record cannot be read')
      elseif not is_stale then
        quarantine('ready', 'ready:' .. place, id, 'a ready id without a job')
      end
    elseif has_charges and safely('HEXISTS', P .. 'deliveries', id) == 1 then
      local is_taken = #ids == 0 and holding == 0
      if is_taken then ids[1], records[1] = id, record end
      for back = #popped, is_taken and i + 1 or i, -1 do
        call('LPUSH', P .. 'ready:' .. place, popped[back])
      end
      return is_taken and id or '', true
    else
      ids[#ids + 1], records[#records + 1] = id, record
    end
  end
  return '', false
end
