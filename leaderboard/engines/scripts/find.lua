-- Boards by path, from `from` on, whose path begins with `prefix`; or, if `exact`, is it. At most `limit`.

local found, from, more = {}, ask.from, true
while more and #found < ask.limit do
  local paths = call('ZRANGEBYLEX', P .. ':paths', from, '+', 'LIMIT', 0, ask.limit)
  more = #paths == ask.limit
  for _, path in ipairs(paths) do
    if path:sub(1, #ask.prefix) ~= ask.prefix or (ask.exact and path ~= ask.prefix) then
      more = false
      break
    end
    local board = load(path)
    if board and #found < ask.limit then
      if settle(board) then
        save(board, true)
      end
      local ranking, version = shown(board)
      found[#found + 1] = {path, board.epoch, version, total_of(ranking)}
    end
    from = '(' .. path
  end
end
return cmsgpack.pack({found = found, told = told})
