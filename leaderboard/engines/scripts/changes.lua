-- What has changed since a number of the log, and that the process which asks is alive.

local up = P .. ':up'
insist() -- also where memory is full: what is taken away is heard of, and who looks is alive
call('ZADD', up, exact(clock + ask.alive), ask.process)
call('ZREMRANGEBYSCORE', up, '-inf', exact(clock - GRACE))
call('ZREMRANGEBYSCORE', up, '(' .. exact(clock + GRACE), '+inf') -- the clock was set back; who lives says so again
call('EXPIRE', up, GRACE)
local ctl = call('HMGET', P .. ':ctl', 'changes', 'identity', 'floor', 'entries', 'revocations')
local log = {}
if ctl[1] and tonumber(ctl[1]) ~= ask.last then
  log = call('ZRANGEBYSCORE', P .. ':log', '(' .. exact(ask.last), '+inf', 'WITHSCORES')
end
return cmsgpack.pack({
  number = tonumber(ctl[1] or 0), identity = ctl[2] or '', floor = tonumber(ctl[3] or 0), log = log,
  entries = tonumber(ctl[4] or 0), boards = call('ZCARD', P .. ':ends'), revocations = tonumber(ctl[5] or 0),
  processes = call('ZCOUNT', up, exact(clock), '+inf'),
})
