-- What keeps a process from working on a partition: commands that its user may not use, and keys that are another
-- program's. A command comes with the key or the channel that it is asked for.

local P, ask = KEYS[1], cmsgpack.unpack(ARGV[1])
local SHARED = {
  ends = 'zset', paths = 'zset', sizes = 'hash', log = 'zset', ctl = 'hash', up = 'zset', revoked = 'zset',
  server = 'string', settings = 'hash', kept = 'hash', ['kept-ends'] = 'zset', leaders = 'hash', leads = 'zset',
}
local lacking, foreign = {}, {}

for _, command in ipairs(ask.commands) do
  if not redis.acl_check_cmd(unpack(command)) then
    lacking[#lacking + 1] = command[1]
  end
end
for name, kind in pairs(#lacking == 0 and SHARED or {}) do
  local found = redis.call('TYPE', P .. ':' .. name).ok
  if found ~= kind and found ~= 'none' then
    foreign[#foreign + 1] = P .. ':' .. name
  end
end
return cmsgpack.pack({lacking, foreign})
