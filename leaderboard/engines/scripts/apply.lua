-- Applies the events of one publish to a board, in order and with nothing in between: one version step.
--
-- Asked: path, rules (order, mode, ties, ceilings as text) and what they say, events, most_boards, most_entries, and a
-- fresh epoch. Answered: per event {true, changed, duplicate, private, score} or {false, refusal, text}; the version;
-- what was told.

local function has_capacity(board)
  local size = #ask.events + (board and board.size or 0)
  return size <= ask.most_entries - count_entries() and (board or count_boards() < ask.most_boards)
end

local function load_or_make()
  local board = load(ask.path)
  -- What has ended must not keep anything out. (A control may need as much room as its board takes.)
  local looked = 1
  while looked > 0 and not has_capacity(board) do
    looked = select(2, sweep(100))
  end
  if board then
    return board
  end
  if count_boards() >= ask.most_boards then
    return nil
  end
  board = new_board(ask.path)
  board.epoch, board.rules = ask.epoch, ask.rules
  -- Leftovers of what has ended; another program's key fails here, before anything is written.
  if call("HLEN", board.base .. ":m") + call("HLEN", board.live.h) + call("ZCARD", board.live.z) > 0 then
    clean(ask.path)
  end
  return board
end

local board = load_or_make()
if not board then
  return cmsgpack.pack({full = true, told = told})
end
if board.rules ~= ask.rules then
  return cmsgpack.pack({rules = board.rules, told = told})
end
board.life = ask.life
local sign = ask.asc and 1 or -1
local capacity = board.size + ask.most_entries - count_entries()
local settled = not board.new and settle(board)
local lapsed, changed, used, controls = false, false, false, nil
local MAX = 2 ^ 53 - 1

-- A score's new key, or nil where the old one stays.
local function rescored(entry, score)
  local key = sign * score
  if ask.mode == 'sum' then
    key = key + entry.key
    if key < -MAX or key > MAX then
      refuse('ScoreOutOfRange', 'the sum would leave the range of exact numbers, 2^53-1')
    end
  elseif ask.mode == 'best' and key >= entry.key then
    return nil
  end
  return key ~= entry.key and key or nil
end

local function admit(event)
  local round = board.round
  if event.round and event.round ~= round.number then
    local number = format('%d', round.number)
    refuse('WrongRound', 'this is round ' .. number .. ', not ' .. format('%.0f', event.round))
  end
  if round.state ~= 'open' then
    local number = format('%d', round.number)
    if round.starts then
      local seconds = format('%d', math.ceil(round.starts - now))
      refuse('RoundClosed', 'round ' .. number .. ' begins in ' .. seconds .. ' s')
    end
    refuse('RoundClosed', 'round ' .. number .. ' takes no scores: it is closed')
  end
  if event.out then
    refuse('ScoreOutOfRange', event.out)
  end
  if is_banned(board, event.player) then
    refuse('Banned', 'this player was taken off the board by its host')
  end
end

local function score(event)
  local player, n, by = event.player, event.n, event.by or ''
  local windows = n and windows_of(board, player)
  local known = n and seen(windows, by, n)
  if known == 'repeat' then
    -- Before any other rule: what was once applied is acknowledged again, whatever the rules say by now.
    local entry = get(board.live, player)
    return {true, false, true, false, entry and sign * entry.key}
  elseif known == 'old' then
    refuse('TooOld', 'n = ' .. format('%.0f', n) .. ' is too far below the highest n seen from this sender')
  end
  admit(event)
  local entry, changes = get(board.live, player), false
  local hidden = is_hidden(board, player)
  if not entry then
    if not has_room(board, 1, capacity) then
      no_room(board)
    end
    board.seq, board.came, board.count = board.seq + 1, board.came + 1, board.count + 1
    entry = {key = sign * event.score, seq = board.seq, came = board.came, name = false, meta = false}
    if not hidden then
      place(board.live, player, entry)
    end
    changes = true
  else
    local key = rescored(entry, event.score)
    if key then
      if not hidden then
        unplace(board.live, player, entry)
      end
      board.seq = board.seq + 1
      entry.key, entry.seq = key, board.seq
      if not hidden then
        place(board.live, player, entry)
      end
      changes = true
    end
  end
  if event.name and event.name ~= entry.name then
    entry.name, changes = event.name, true
  end
  if event.meta and event.meta ~= entry.meta then
    entry.meta, changes = event.meta, true
  end
  if changes then
    call('HSET', board.live.h, player, packed(entry))
  end
  if n then
    if not lapsed then
      lapsed = true
      lapse(board)
    end
    note(board, player, windows, by, n)
  end
  call('ZADD', board.base .. ':p', math.floor(math.floor(now) / BEAT), player)
  return {true, changes, false, (hidden or board.curtain) and true or false, sign * entry.key}
end

local function remove(event)
  local private = (board.curtain or is_hidden(board, event.player)) and true or false
  return {true, take_out(board, event.player, false), false, private, false}
end

local function happen(event)
  if event.op == nil then
    return score(event)
  elseif event.op == 'remove' then
    return remove(event)
  end
  controls = controls or hosting()
  return {true, controls[event.op](board, event, capacity), false, true, false}
end

local outcomes, texts = {}, {}
for i, event in ipairs(ask.events) do
  local done, outcome = pcall(happen, event)
  if done then
    changed = changed or outcome[2]
    if not outcome[3] then
      used = true
      if ask.texts and (event.op == nil or event.op == 'remove') then
        texts[#texts + 1] = {outcome[4], ask.texts[i]}
      end
    end
  elseif type(outcome) == 'table' and outcome.refused then
    outcome = {false, outcome.kind, outcome.text}
  else
    error(outcome, 0)
  end
  outcomes[i] = outcome
end

if changed then
  board.version = board.version + 1
end
if not board.new or changed then
  if used then
    use(board)
  end
  if used or settled or board.undo_changed or board.stateful then
    call('ZREMRANGEBYSCORE', board.base .. ':p', '-inf', math.floor(math.floor(now) / BEAT) - MINUTE)
    save(board, changed or settled)
  end
end

local ranks
if ask.ranked then
  ranks = {}
  for i, event in ipairs(ask.events) do
    ranks[i] = false
    local entry = outcomes[i][1] and event.player and get(board.live, event.player)
    local index = entry and call('ZRANK', board.live.z, member(event.player, entry))
    if index and (event.op == nil or event.op == 'remove') then
      ranks[i] = rank_of(board.live, entry.key, index + 1)
    end
  end
end

-- Raw events, for those who watch them: after one another, as they were applied.
local first = 1
while first <= #texts do
  local private, group = texts[first][1], {}
  while texts[first] and texts[first][1] == private do
    group[#group + 1] = texts[first][2]
    first = first + 1
  end
  call(ask.publish, P .. ':relay', cmsgpack.pack({ask.path, private, group}))
end

return cmsgpack.pack({
  events = outcomes, version = board.version, frozen = board.curtain and true or false, ranks = ranks,
  told = told,
})
