-- A process has reached the server of a partition. Where it is another server than before, a replica
-- has taken over, or an older copy was loaded: what was acknowledged last may be lost, and its versions would be given
-- once more, to other rows. So all boards go on far ahead of what anybody has seen. Answers how many did.

local AHEAD = 2 ^ 20 -- more versions of a board than a replica can be behind

local before = call('GET', P .. ':server')
insist()
call('SET', P .. ':server', ask.server, 'EX', SERVED)
local moved = 0
if before and before ~= ask.server then
  for _, path in ipairs(call('ZRANGE', P .. ':paths', 0, -1)) do
    local m = P .. ':' .. path .. ':m'
    local kept = redis.pcall('HMGET', m, 'version', 'state')
    if kept[1] then -- else it has expired, or is another program's
      call('HINCRBY', m, 'version', AHEAD)
      local state = kept[2] and cmsgpack.unpack(kept[2])
      if state and state.curtain then
        state.curtain.version = state.curtain.version + AHEAD
        call('HSET', m, 'state', cmsgpack.pack(state))
      end
      tell(path)
      moved = moved + 1
    end
  end
end
return cmsgpack.pack(moved)
