-- part striking: a worker's consumers and the worker itself off the books.
-- Strikes all consumers from the register, the idle sets and their wake lists (R1).
local function strike_consumers(worker)
  local unopened, books = {}, safely('HGETALL', P .. 'consumers:' .. worker)
  for at = 1, #books, 2 do
    strike(worker, books[at], books[at + 1], unopened)
  end
  call('DEL', P .. 'consumers:' .. worker)
  return unopened
end

local function forget_worker(worker)
  call('DEL', P .. 'held:' .. worker, P .. 'worker:' .. worker, P .. 'control:' .. worker)
  safely('ZREM', P .. 'workers', worker)
  safely('ZREM', P .. 'gone', worker)
end
