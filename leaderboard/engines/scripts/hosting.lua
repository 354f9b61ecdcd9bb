-- What a host decides, as leaderboard/board.py has it. Each control is checked before anything is written, and answers
-- whether it changed anything.

local PAST_ROUNDS, PAST_ROWS, FREEZABLE, PEOPLE, UNDOABLE = 10, 1000, 20000, 10000, 10

-- An event is refused: nothing of it was done. `apply` catches this.
local function refuse(kind, text)
  error({refused = true, kind = kind, text = text}, 0)
end

local function has_room(board, more, capacity)
  return board.count < ask.max_entries and board.count + board.kept + more <= capacity
end

local function no_room(board)
  refuse('BoardFull', 'no room for a new player beside the ' .. format('%d', board.count) .. ' here')
end

local function is_in(board, kind, count, player)
  return count > 0 and call('HEXISTS', board.base .. ':' .. kind, player) == 1
end

local function is_hidden(board, player)
  return is_in(board, 'i', board.hidden, player)
end

local function is_banned(board, player)
  return is_in(board, 'n', board.banned, player)
end

-- Takes a player's rows out, so that they can be put back; whether there was one.
local function take_out(board, player, banned)
  local entry, shown = get(board.live, player), nil
  if entry or banned then
    insist()
  end
  if entry then
    take(board.live, player)
    board.count = board.count - 1
    call('ZREM', board.base .. ':p', player)
  end
  if board.curtain then
    shown = take(board.curtain, player)
  end
  if entry or banned then
    local undo = removals(board)
    undo[#undo + 1] = {player = player, entry = entry or nil, shown = shown or nil, banned = banned}
    if #undo > UNDOABLE then
      table.remove(undo, 1)
    end
    board.undo_changed = true
  end
  if shown then
    redraw(board, board.version + 1)
  end
  return entry and true or false
end

-- Made when the first control comes: most publishes have none.
local function hosting()
  local H = {}

  local function check_mode()
    if ask.mode ~= 'sum' then
      refuse('InvalidEvent', 'a board on which scores do not sum up has no players without one')
    end
  end

  local function check_copy(board, capacity, so)
    local total = total_of(board.live)
    if total > FREEZABLE then
      refuse('BoardTooLarge', 'the board has more than ' .. format('%d', FREEZABLE) .. ' entries: ' .. so)
    end
    local hanging = board.curtain and board.curtain.count or 0
    if board.count + board.kept - hanging + total > capacity then
      refuse('BoardFull', 'no room for a copy of the ' .. format('%d', total) .. ' entries here: ' .. so)
    end
  end

  -- Shows a copy of the board as it is from here on.
  local function hang(board, version)
    local curtain = ranking_of(board, 'c')
    insist()
    call('UNLINK', curtain.z, curtain.h)
    call('COPY', board.live.z, curtain.z)
    call('COPY', board.live.h, curtain.h)
    if board.hidden > 0 then
      each_block(call('HKEYS', board.base .. ':i'), function(...)
        call('HDEL', curtain.h, ...)
      end)
    end
    curtain.version = version
    board.curtain = curtain
    rehang(board)
    return curtain
  end

  local function same(a, b)
    return a.number == b.number and a.state == b.state and a.starts == b.starts and a.ends == b.ends
      and a.staged == b.staged
  end

  local function become(board, round)
    local before = board.round
    board.round, board.stateful = round, true
    return not same(before, round)
  end

  function H.open(board, event)
    local number, wait = board.round.number, (event.in_ms or 0) / 1000
    local start = now + wait
    local ends = event.for_ms and start + event.for_ms / 1000 or nil
    if wait > 0 then
      return become(board, {number = number, state = 'soon', starts = start, ends = ends, staged = true})
    end
    return become(board, {number = number, state = 'open', ends = ends, staged = true})
  end

  function H.close(board)
    return become(board, closed(board.round))
  end

  function H.clear(board, event, capacity)
    if board.curtain then
      refuse('Frozen', 'the board is frozen: reveal or unfreeze it first')
    end
    if event.players then
      check_mode()
    end
    local total = total_of(board.live)
    local count = math.min(total, PAST_ROWS)
    local oldest = #board.past == PAST_ROUNDS and board.past[1] or nil
    if event.players and board.count + board.kept + count - (oldest and oldest.count or 0) > capacity then
      refuse('BoardFull', 'no room for the same players in one more round')
    end
    insist()
    if oldest then
      call('UNLINK', oldest.z, oldest.h)
      table.remove(board.past, 1)
    end
    local past = ranking_of(board, 'p', {
      number = board.round.number, version = board.version + 1, dropped = total - count, count = count,
    })
    board.past[#board.past + 1] = past
    if count > 0 then
      call('ZRANGESTORE', past.z, board.live.z, 0, count - 1)
      for _, each in ipairs(call('ZRANGE', past.z, 0, -1)) do
        local player = each:sub(15)
        call('HSET', past.h, player, call('HGET', board.live.h, player))
      end
    end
    call('UNLINK', board.live.z, board.base .. ':p')
    if event.players then
      local all = call('HGETALL', board.live.h)
      for i = 1, #all, 2 do
        local entry = unpacked(all[i + 1])
        entry.key = 0
        put(board.live, all[i], entry, is_hidden(board, all[i]))
      end
    else
      call('UNLINK', board.live.h)
      board.count = 0
    end
    board.undo, board.undo_changed = {}, true
    local staged = board.round.staged
    become(board, {number = board.round.number + 1, state = staged and 'closed' or 'open', staged = staged})
    count_kept(board)
    return true
  end

  function H.freeze(board, _, capacity)
    if board.curtain then
      return false
    end
    check_copy(board, capacity, 'it cannot be frozen')
    hang(board, board.version + 1)
    return true
  end

  function H.unfreeze(board)
    if not board.curtain then
      return false
    end
    insist()
    fall(board)
    return true
  end

  function H.reveal(board, event, capacity)
    local curtain = board.curtain
    if not curtain then
      refuse('NotFrozen', 'only a frozen board can be revealed')
    end
    if not curtain.revealing then
      check_copy(board, capacity, 'it cannot be revealed, but it can be unfrozen')
      curtain = hang(board, board.version + 1)
      curtain.revealing = true
      cover(curtain, ask.top)
    end
    curtain.every = (event.every_ms or 0) / 1000
    curtain.step_at = event.every_ms and now + curtain.every or nil
    lift(curtain, event.every_ms and 1 or event.steps or 1)
    redraw(board, board.version + 1)
    return true
  end

  function H.props(board, event)
    local m = board.base .. ':m'
    if (call('HGET', m, 'props') or '{}') == event.text then
      return false
    end
    call('HSET', m, 'props', event.text, 'public', event.public)
    return true
  end

  function H.enter(board, event, capacity)
    check_mode()
    local player = event.player
    if is_banned(board, player) then
      refuse('Banned', 'this player was taken off the board by its host')
    end
    local entry = get(board.live, player)
    local new = not entry
    if new then
      if not has_room(board, 1, capacity) then
        no_room(board)
      end
      board.seq, board.came = board.seq + 1, board.came + 1
      entry = {key = 0, seq = board.seq, came = board.came, name = false, meta = false}
      board.count = board.count + 1
    end
    local name, meta = event.name or entry.name, event.meta or entry.meta
    if not new and name == entry.name and meta == entry.meta then
      return false
    end
    entry.name, entry.meta = name, meta
    put(board.live, player, entry, not new or is_hidden(board, player))
    return true
  end

  local function remember(board, kind, count, player, what)
    if count >= PEOPLE then
      refuse('LimitExceeded', format('%d', PEOPLE) .. ' players are ' .. what .. ' here, and no more may be')
    end
    local entry = get(board.live, player)
    local name
    if entry then
      name = entry.name
    else
      name = is_hidden(board, player) and call('HGET', board.base .. ':i', player)
      if not name or name == '' then
        name = is_banned(board, player) and call('HGET', board.base .. ':n', player)
      end
    end
    call('HSET', board.base .. ':' .. kind, player, name or '')
  end

  -- Takes a player out of every order, or back in.
  local function shelve_all(board, player, shelved)
    shelve(board.live, player, shelved)
    for _, past in ipairs(board.past) do
      if shelve(past, player, shelved) then
        past.version = board.version + 1
      end
    end
    if board.curtain and shelve(board.curtain, player, shelved) then
      redraw(board, board.version + 1)
    end
    board.stateful = true
    return true
  end

  function H.hide(board, event)
    if is_hidden(board, event.player) then
      return false
    end
    remember(board, 'i', board.hidden, event.player, 'hidden')
    board.hidden = board.hidden + 1
    return shelve_all(board, event.player, true)
  end

  function H.show(board, event)
    if not is_hidden(board, event.player) then
      return false
    end
    insist()
    call('HDEL', board.base .. ':i', event.player)
    board.hidden = board.hidden - 1
    return shelve_all(board, event.player, false)
  end

  function H.ban(board, event)
    if is_banned(board, event.player) then
      return false
    end
    remember(board, 'n', board.banned, event.player, 'banned')
    board.banned, board.stateful = board.banned + 1, true
    take_out(board, event.player, true)
    return true
  end

  local function unban(board, player)
    if is_banned(board, player) then
      insist()
      call('HDEL', board.base .. ':n', player)
      board.banned, board.stateful = board.banned - 1, true
      return true
    end
    return false
  end

  function H.unban(board, event)
    if not unban(board, event.player) then
      return false
    end
    local kept = {}
    for _, removal in ipairs(removals(board)) do
      if removal.player ~= event.player or removal.entry then
        kept[#kept + 1] = removal
      end -- else nothing is left of it to be taken back
    end
    board.undo, board.undo_changed = kept, true
    return true
  end

  function H.undo(board, _, capacity)
    local undo = removals(board)
    local removal = undo[#undo]
    if not removal then
      refuse('NothingToUndo', 'nobody was removed in this round')
    end
    local player, entry = removal.player, removal.entry
    if get(board.live, player) then
      table.remove(undo)
      board.undo_changed = true
      refuse('Again', player)
    end
    local copied = board.curtain and removal.shown
    if entry and not has_room(board, copied and 2 or 1, capacity) then
      refuse('BoardFull', 'no room for the player that was removed')
    end
    table.remove(undo)
    board.undo_changed = true
    if removal.banned then
      unban(board, player)
    end
    if not entry then
      return true
    end
    local shelved = is_hidden(board, player)
    board.came = board.came + 1 -- it comes again, as the last
    entry.came = board.came
    put(board.live, player, entry, shelved)
    board.count = board.count + 1
    if copied then
      put(board.curtain, player, removal.shown, shelved)
      redraw(board, board.version + 1)
    end
    return true
  end

  return H
end
