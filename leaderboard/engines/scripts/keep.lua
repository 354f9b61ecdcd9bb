-- Keeps a text under an id until it ends, for all processes, or without a text no longer. False where there is no room.

local texts, ends = P .. ':kept', P .. ':kept-ends'
insist()
each_block(call('ZRANGEBYSCORE', ends, '-inf', exact(now)), function(...)
  call('HDEL', texts, ...)
  call('ZREM', ends, ...)
end)
if not ask.text then
  call('HDEL', texts, ask.id)
  call('ZREM', ends, ask.id)
  return cmsgpack.pack(true)
end
if call('ZCARD', ends) >= ask.most and call('HEXISTS', texts, ask.id) == 0 then
  return cmsgpack.pack(false)
end
call('HSET', texts, ask.id, ask.text)
call('ZADD', ends, exact(ask.ends), ask.id)
local last = tonumber(call('ZRANGE', ends, -1, -1, 'WITHSCORES')[2])
for _, key in ipairs({texts, ends}) do
  call('EXPIREAT', key, math.ceil(clock + last - now + GRACE))
end
return cmsgpack.pack(true)
