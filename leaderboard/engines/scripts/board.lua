-- One board: what is kept of it, how it is loaded and saved, and what the clock does to it.
--
-- Its keys begin with the partition's and its path, as in lb1:{0}:/game/KX7M:m
--
--   :m        hash  epoch, version, seq (of the last score reached), came (of the last player), rules, life (seconds),
--                   state (round, past rounds, curtain, how many are hidden and banned), undo, props, public
--   :z :h     the ranking
--   :cz :ch   the copy that is shown while it is frozen
--   :pz0 :ph0 to :pz9 :ph9   past rounds, by the last digit of their number
--   :i :n     hashes: hidden and banned players, and the names by which their host knows them
--   :r :y     retry windows by player, and when each player's were used last
--   :p        sorted set: players by the beat in which they were last active

local KINDS = {':m', ':z', ':h', ':cz', ':ch', ':i', ':n', ':r', ':y', ':p'}
for digit = 0, 9 do
  KINDS[#KINDS + 1] = ':pz' .. format('%d', digit)
  KINDS[#KINDS + 1] = ':ph' .. format('%d', digit)
end
local BEAT, MINUTE = 5, 12 -- seconds, and beats for which an entry counts as active

local function ranking_of(board, kind, kept)
  local ranking = kept or {}
  ranking.z, ranking.h = board.base .. ':' .. kind .. 'z', board.base .. ':' .. kind .. 'h'
  if kind == 'p' then
    local digit = format('%d', ranking.number % 10)
    ranking.z, ranking.h = ranking.z .. digit, ranking.h .. digit
  end
  return ranking
end

local function new_board(path)
  local board = {
    path = path, base = P .. ':' .. path, version = 0, seq = 0, came = 0, size = 0, count = 0, kept = 0, ends = 0,
    round = {number = 1, state = 'open'}, past = {}, hidden = 0, banned = 0, new = true,
  }
  board.live = ranking_of(board, '')
  return board
end

-- The board has so many entries now.
local function count_in(path, before, after)
  if before ~= after then -- a difference of 0 might be written as -0, which is no integer
    call('HSET', P .. ':sizes', path, after)
    call('HINCRBY', P .. ':ctl', 'entries', after - before)
  end
end

local function clean(path)
  insist()
  local keys = {}
  for i, kind in ipairs(KINDS) do
    keys[i] = P .. ':' .. path .. kind
  end
  call('UNLINK', unpack(keys))
end

-- Its time is over: nothing of it is left.
local function finish(path)
  clean(path)
  count_in(path, tonumber(call('HGET', P .. ':sizes', path) or 0), 0)
  call('HDEL', P .. ':sizes', path)
  call('ZREM', P .. ':ends', path)
  call('ZREM', P .. ':paths', path)
  tell(path)
  expire_shared(0)
end

-- A board that lives, or nil.
local function load(path)
  local ends = call('ZSCORE', P .. ':ends', path)
  if not ends then
    return nil
  end
  local board = new_board(path)
  local kept = call('HMGET', board.base .. ':m', 'epoch', 'version', 'seq', 'came', 'rules', 'life', 'state')
  board.ends = tonumber(ends)
  if not kept[1] or (now >= board.ends and watching(path) == 0) then
    finish(path)
    return nil
  end
  board.new = false
  board.epoch, board.version, board.seq, board.came = kept[1], tonumber(kept[2]), tonumber(kept[3]), tonumber(kept[4])
  board.rules, board.life = kept[5], tonumber(kept[6])
  if kept[7] then
    local state = cmsgpack.unpack(kept[7])
    board.round, board.past, board.curtain = state.round, state.past, state.curtain
    board.hidden, board.banned = state.hidden, state.banned
    for _, past in ipairs(board.past) do
      board.kept = board.kept + past.count
      ranking_of(board, 'p', past)
    end
    if board.curtain then
      board.kept = board.kept + board.curtain.count
      ranking_of(board, 'c', board.curtain)
    end
  end
  board.count = call('HLEN', board.live.h)
  board.size = board.count + board.kept
  board.was = board.size
  call('ZCARD', board.live.z) -- another program's key would fail here, before anything is written
  return board
end

-- It lives on from now, and never ends before its round has begun and ended.
local function use(board)
  board.ends = math.max(now + board.life, board.round.ends or board.round.starts or 0)
  board.used = true
end

local function expire(board)
  local seconds = math.max(board.ends - now, board.life)
  local moment = math.ceil(clock + seconds + GRACE)
  for i = 1, 3 do
    call('EXPIREAT', board.base .. KINDS[i], moment)
  end
  if board.stateful or #board.past > 0 or board.curtain or board.hidden + board.banned > 0 then
    for i = 4, #KINDS do
      call('EXPIREAT', board.base .. KINDS[i], moment)
    end
  else
    for i = 8, 10 do
      call('EXPIREAT', board.base .. KINDS[i], moment)
    end
  end
  expire_shared(seconds)
end

-- Writes down what is not written yet, and tells of it if anything that is shown changed.
local function save(board, changed)
  local m = board.base .. ':m'
  if board.new then
    call('HSET', m, 'epoch', board.epoch, 'rules', board.rules)
    call('ZADD', P .. ':paths', 0, board.path)
  end
  call('HSET', m, 'version', exact(board.version), 'seq', exact(board.seq), 'came', exact(board.came),
    'life', exact(board.life))
  if board.stateful then
    call('HSET', m, 'state', cmsgpack.pack({
      round = board.round, past = board.past, curtain = board.curtain, hidden = board.hidden, banned = board.banned,
    }))
  end
  if board.undo_changed then
    call('HSET', m, 'undo', cmsgpack.pack(board.undo))
  end
  board.size = board.count + board.kept
  count_in(board.path, board.was or 0, board.size)
  if board.new or board.used then
    call('ZADD', P .. ':ends', exact(board.ends), board.path)
  end
  if changed then
    tell(board.path)
  end
  expire(board)
end

-- Players that were active in the last minute.
local function playing(board)
  local beat = math.floor(math.floor(now) / BEAT) -- there may be later ones, if the clock was set back
  return call('ZCOUNT', board.base .. ':p', '(' .. exact(beat - MINUTE), exact(beat))
end

-- The version that everybody sees, and the ranking.
local function shown(board)
  if board.curtain then
    return board.curtain, board.curtain.version
  end
  return board.live, board.version
end

-- -- the curtain, as far as the clock moves it -----------------------------------------------------------------------

local function count_kept(board)
  board.kept = 0
  for _, past in ipairs(board.past) do
    board.kept = board.kept + past.count
  end
  if board.curtain then
    board.curtain.count = call('HLEN', board.curtain.h)
    board.kept = board.kept + board.curtain.count
  end
end

local function removals(board)
  if not board.undo then
    local undo = call('HGET', board.base .. ':m', 'undo')
    board.undo = undo and cmsgpack.unpack(undo) or {}
  end
  return board.undo
end

-- The copy that hung is another, or none: no row of it can be put back.
local function rehang(board)
  for _, removal in ipairs(removals(board)) do
    if removal.shown then
      removal.shown = nil
      board.undo_changed = true
    end
  end
  board.stateful = true
  count_kept(board)
end

local function fall(board)
  call('UNLINK', board.curtain.z, board.curtain.h)
  board.curtain = nil
  rehang(board)
end

-- What everybody sees of the frozen board has changed.
local function redraw(board, version)
  local curtain = board.curtain
  curtain.version = version
  board.stateful = true
  if curtain.revealing and veiled_of(curtain) == 0 then
    fall(board)
  else
    count_kept(board)
  end
end

local function lift(curtain, places)
  cover(curtain, math.max(0, veiled_of(curtain) - places))
end

-- -- the clock -------------------------------------------------------------------------------------------------------

local function round_due(round)
  return (round.state == 'soon' and round.starts) or (round.state == 'open' and round.ends) or math.huge
end

local function closed(round)
  return {number = round.number, state = 'closed', staged = true}
end

local function due_of(board)
  return math.min(round_due(board.round), board.curtain and board.curtain.step_at or math.huge)
end

-- Lets happen what the clock has made due by now, in order, each one version; whether anything did.
local function settle(board)
  local before, moment = board.version, due_of(board)
  if moment <= now then
    insist()
  end
  while moment <= now do
    board.version = board.version + 1
    board.stateful = true
    local round, curtain = board.round, board.curtain
    if round_due(round) <= moment then
      if round.state == 'soon' then
        board.round = {number = round.number, state = 'open', ends = round.ends, staged = true}
      else
        board.round = closed(round)
      end
    else
      curtain.step_at = curtain.step_at + curtain.every
      lift(curtain, 1)
      redraw(board, board.version)
    end
    moment = due_of(board)
  end
  return board.version ~= before
end

-- Ends boards whose time is over, at most so many; how many it was.
local function sweep(most)
  local over = call('ZRANGEBYSCORE', P .. ':ends', '-inf', exact(now), 'LIMIT', 0, most)
  local ended = 0
  for _, path in ipairs(over) do
    local board = load(path)
    if board then -- it is watched: look again when it would end if it were not
      use(board)
      call('ZADD', P .. ':ends', exact(board.ends), path)
      expire(board)
    else
      ended = ended + 1
    end
  end
  return ended, #over
end
