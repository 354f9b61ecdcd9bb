-- All that is told of the players of a board to its host: entries, at most `most` of them, and who is hidden or banned.
--
-- Answered: entries {player, name, key, meta, seq, came}; the hidden and the banned as {player, name} pairs.

local board = load(ask.path)
if not board then
  return cmsgpack.pack({entries = {}, hidden = {}, banned = {}})
end
local entries, found = {}, nil
if board.count <= ask.most then
  found = call('HGETALL', board.live.h)
else
  found = call('HSCAN', board.live.h, 0, 'COUNT', ask.most)[2]
end
for i = 1, #found, 2 do
  local entry = unpacked(found[i + 1])
  entries[#entries + 1] = {found[i], entry.name, entry.key, entry.meta, entry.seq, entry.came}
end
return cmsgpack.pack({
  entries = entries, hidden = call('HGETALL', board.base .. ':i'),
  banned = call('HGETALL', board.base .. ':n'), asc = board.rules:sub(1, 1) == 'a', ordinal = board.rules:sub(-1) == 'o',
})
