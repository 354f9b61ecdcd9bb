-- Gives a process some of a rate that all share: of what is left of the last seconds an eighth of its share, so that the
-- last ones go singly, or as many as it has waiting; else the seconds until some are left.

local taken = P .. ':rate:' .. ask.name
insist()
call('ZREMRANGEBYSCORE', taken, '-inf', exact(now - ask.seconds))
call('ZREMRANGEBYSCORE', taken, '(' .. exact(now), '+inf') -- given before the clock was set back
local left = ask.most
for _, each in ipairs(call('ZRANGE', taken, 0, -1)) do
  left = left - tonumber(string.match(each, '^%d+'))
end
if left <= 0 then
  local first = tonumber(call('ZRANGE', taken, 0, 0, 'WITHSCORES')[2] or now)
  return cmsgpack.pack({0, first + ask.seconds - now})
end
local share = math.floor(left / (8 * math.max(1, call('ZCOUNT', P .. ':up', exact(clock), '+inf'))))
local given = math.min(left, math.max(ask.wanted, share))
call('ZADD', taken, exact(now), format('%d %s %d', given, ask.process, ask.number))
call('PEXPIRE', taken, math.ceil(ask.seconds * 1000) + 1000)
return cmsgpack.pack({given, 0})
