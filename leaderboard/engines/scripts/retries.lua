-- Retry windows, as leaderboard/retries.py has them: per player at most four senders, each with the highest n seen from
-- it and a bitmap of the 32 below, in the order in which they were used last.

local WIDTH, LAPSE, SENDERS = 32, 600, 4

-- The windows of a player that have not lapsed.
local function windows_of(board, player)
  local text = call('HGET', board.base .. ':r', player)
  local kept = {}
  for _, window in ipairs(text and cmsgpack.unpack(text) or {}) do
    if window.used + LAPSE > now then
      kept[#kept + 1] = window
    end
  end
  return kept
end

local function bit_of(window, distance)
  return math.floor(window.below / 2 ^ (distance - 1)) % 2
end

-- What is known of n: 'new', 'repeat' or 'old'.
local function seen(windows, by, n)
  for _, window in ipairs(windows) do
    if window.by == by then
      local distance = window.highest - n
      if distance < 0 then
        return 'new'
      elseif distance == 0 then
        return 'repeat'
      elseif distance > WIDTH then
        return 'old'
      end
      return bit_of(window, distance) == 1 and 'repeat' or 'new'
    end
  end
  return 'new'
end

-- Remembers that n was applied.
local function note(board, player, windows, by, n)
  local window
  for i, each in ipairs(windows) do
    if each.by == by then
      window = table.remove(windows, i)
      break
    end
  end
  if not window then
    window = {by = by, highest = 0, below = 0}
    if #windows == SENDERS then
      table.remove(windows, 1)
    end
  end
  if n > window.highest then
    local shift = n - window.highest
    -- Doubles hold this exactly: 33 bits, moved by at most 31.
    window.below = shift <= WIDTH and ((window.below * 2 + 1) * 2 ^ (shift - 1)) % 2 ^ WIDTH or 0
    window.highest = n
  else
    local distance = window.highest - n
    if bit_of(window, distance) == 0 then
      window.below = window.below + 2 ^ (distance - 1)
    end
  end
  window.used = now
  windows[#windows + 1] = window
  local r, y = board.base .. ':r', board.base .. ':y'
  call('HSET', r, player, cmsgpack.pack(windows))
  if call('ZADD', y, exact(now), player) == 1 and call('ZCARD', y) > ask.max_entries * SENDERS then
    call('HDEL', r, call('ZPOPMIN', y)[1])
  end
end

-- Forgets players all of whose windows have lapsed.
local function lapse(board)
  local y = board.base .. ':y'
  local gone = call('ZRANGEBYSCORE', y, '-inf', exact(now - LAPSE - 1), 'LIMIT', 0, 100)
  if #gone > 0 then
    call('HDEL', board.base .. ':r', unpack(gone))
    call('ZREM', y, unpack(gone))
  end
end
