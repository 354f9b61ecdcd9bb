-- Lets one process do for all what a name stands for, so many seconds long; 0 = it need not be done any more. False
-- where another is at it.

local LED = 86400 -- seconds after which nobody looks for who did not go on

local leads, leaders = P .. ':leads', P .. ':leaders'
insist()
local leader, ends = call('HGET', leaders, ask.name), call('ZSCORE', leads, ask.name)
if leader and leader ~= ask.process and tonumber(ends or 0) > now then
  return cmsgpack.pack(false)
end
if ask.seconds > 0 then
  call('HSET', leaders, ask.name, ask.process)
  call('ZADD', leads, exact(now + ask.seconds), ask.name)
  call('EXPIRE', leaders, LED)
  call('EXPIRE', leads, LED)
else
  call('HDEL', leaders, ask.name)
  call('ZREM', leads, ask.name)
end
return cmsgpack.pack(true)
