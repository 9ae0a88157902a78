-- part watched: W, the time that beats have observed (R12), and who is alive by it.
local function watched_ms()
  local observed = tonumber(safely('HGET', P .. 'watch', 'w') or '')
  return observed and observed >= 0 and observed < 9e15 and observed or 0
end

local function is_alive(worker)
  local deadline = safely('ZSCORE', P .. 'workers', worker)
  return deadline and tonumber(deadline) >= watched_ms()
end
