-- Reads a board through views, all at one (epoch, version, now). Settles first what the clock has made due.
--
-- Asked: path, views, the floor {epoch, version}, and the process that asks.

local board = load(ask.path)
if board then
  ask.ordinal = board.rules:sub(-1) == 'o' -- by its own rules, whatever those of the reader say by now
  local settled = settle(board)
  local floor = ask.floor
  if floor and floor[1] == board.epoch and board.version < floor[2] then
    -- What this process has shown was lost with a server that failed: go on behind it.
    insist()
    board.version = floor[2] + 1
    settled = true
  end
  if settled then
    save(board, true)
  end
else
  board = new_board(ask.path)
  board.epoch = ''
end

local windows = {}
for i, view in ipairs(ask.views) do
  local seen = false
  if view.round and view.round ~= board.round.number then
    for _, past in ipairs(board.past) do
      if past.number == view.round then
        seen = window(past, view, past.version)
      end
    end
  elseif view.live then
    seen = window(board.live, view, board.version)
  else
    local ranking, version = shown(board)
    seen = window(ranking, view, version)
  end
  windows[i] = seen
end

local due = due_of(board)
return cmsgpack.pack({
  epoch = board.epoch, version = board.version, now = now, windows = windows, told = told,
  round = {board.round.number, board.round.state, board.round.starts or false, board.round.ends or false},
  frozen = board.curtain and true or false, veiled = board.curtain and veiled_of(board.curtain) or 0,
  props = call('HGET', board.base .. ':m', 'public') or '{}', playing = playing(board),
  due = due ~= math.huge and due or nil, elsewhere = watching(ask.path, ask.process),
  asc = board.rules and board.rules:sub(1, 1) == 'a',
})
