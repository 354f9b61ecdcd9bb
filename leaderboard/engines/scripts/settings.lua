-- Says what settings a process has; answers what others that are alive have instead.

local said, others = P .. ':settings', {}
insist()
call('HSET', said, ask.process, ask.settings)
call('EXPIRE', said, GRACE)
local all = call('HGETALL', said)
for i = 1, #all, 2 do
  local alive = call('ZSCORE', P .. ':up', all[i])
  if not alive or tonumber(alive) <= clock then
    call('HDEL', said, all[i])
  elseif all[i + 1] ~= ask.settings then
    others[#others + 1] = all[i + 1]
  end
end
return cmsgpack.pack(others)
