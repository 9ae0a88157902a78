-- part tombs: stale entries of ready lists. A job that is cancelled or moved while it is queued
-- leaves its entry behind; `tombs` names the list. An id goes into a list only after its old entry
-- has gone (R17).
local function clear_tombs(ids)
  if call('EXISTS', P .. 'tombs') == 0 then
    return
  end
  for _, id in ipairs(ids) do
    local place = safely('HGET', P .. 'tombs', id)
    if place then
      safely('LREM', P .. 'ready:' .. place, 0, id)
      call('HDEL', P .. 'tombs', id)
    end
  end
end
