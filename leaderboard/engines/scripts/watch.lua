-- So many connections of a process watch exactly this board; 0 = none any more. Also renews how long its keys live.

local board = load(ask.path) -- first: who comes too late finds no board
local on = P .. ':on:' .. ask.path
local before = call('HGET', on, ask.process)
insist()
if ask.count > 0 then
  call('HSET', on, ask.process, ask.count)
  call('EXPIRE', on, 2 * GRACE)
else
  call('HDEL', on, ask.process)
end
if board then
  if ask.count == 0 and before and watching(ask.path) == 0 then
    use(board)
    call('ZADD', P .. ':ends', exact(board.ends), ask.path)
  end
  board.stateful = true -- all that it may have
  expire(board)
end
local number = (tonumber(before) or 0) ~= ask.count and tell('#' .. ask.path) or false
if not board then
  expire_shared(GRACE)
end
return number
