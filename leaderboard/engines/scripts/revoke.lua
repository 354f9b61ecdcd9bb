-- Tokens that are good no more, until they would have ended; answers all that are in force.

local revoked = P .. ':revoked'
insist()
call('ZREMRANGEBYSCORE', revoked, '-inf', exact(now))
for _, each in ipairs(ask.tokens) do
  call('ZADD', revoked, 'GT', exact(each[2]), each[1])
end
if #ask.tokens > 0 then
  poke(call('HINCRBY', P .. ':ctl', 'revocations', #ask.tokens))
end
local last = call('ZRANGE', revoked, -1, -1, 'WITHSCORES')
if last[2] then
  local seconds = tonumber(last[2]) - now
  call('EXPIREAT', revoked, math.ceil(clock + seconds + GRACE))
  expire_shared(seconds)
end
return cmsgpack.pack(call('ZRANGE', revoked, 0, -1, 'WITHSCORES'))
