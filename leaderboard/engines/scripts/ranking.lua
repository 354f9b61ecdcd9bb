-- Entries in their order. A ranking is a table with two keys: z, a sorted set of the places, and h, a hash of the entries
-- by player. The score of a place is the key: the player's score, negated where more is better; its member is the
-- sequence number in 14 digits and the player, so of equals the one that got there first stands first. An entry that is
-- on the shelf is in h alone. `dropped` counts those behind the last that are not kept; `veil` is the first place that
-- is shown.

local function packed(entry)
  return cmsgpack.pack(entry.key, entry.seq, entry.came, entry.name, entry.meta)
end

local function unpacked(text)
  local key, seq, came, name, meta = cmsgpack.unpack(text)
  return {key = key, seq = seq, came = came, name = name, meta = meta}
end

local function member(player, entry)
  return format('%014.0f', entry.seq) .. player
end

local function get(ranking, player)
  local text = call('HGET', ranking.h, player)
  return text and unpacked(text)
end

local function place(ranking, player, entry)
  call('ZADD', ranking.z, exact(entry.key), member(player, entry))
end

local function unplace(ranking, player, entry)
  call('ZREM', ranking.z, member(player, entry))
end

local function put(ranking, player, entry, shelved)
  call('HSET', ranking.h, player, packed(entry))
  if not shelved then
    place(ranking, player, entry)
  end
end

local function take(ranking, player)
  local entry = get(ranking, player)
  if entry then
    call('HDEL', ranking.h, player)
    unplace(ranking, player, entry)
  end
  return entry
end

local function shelve(ranking, player, shelved)
  local entry = get(ranking, player)
  if entry then
    (shelved and unplace or place)(ranking, player, entry)
  end
  return entry
end

local function total_of(ranking)
  return call('ZCARD', ranking.z) + (ranking.dropped or 0)
end

-- Places at the top that no view shows.
local function veiled_of(ranking)
  local veil = ranking.veil
  if not veil then
    return 0
  end
  if veil.all then
    return call('ZCARD', ranking.z)
  end
  local before = call('ZRANK', ranking.z, veil.member)
  if not before then -- it was taken out: ask where it would stand
    insist()
    call('ZADD', ranking.z, exact(veil.key), veil.member)
    before = call('ZRANK', ranking.z, veil.member)
    call('ZREM', ranking.z, veil.member)
  end
  return before
end

local function cover(ranking, places)
  if places == 0 then
    ranking.veil = nil
    return
  end
  local first = call('ZRANGE', ranking.z, places, places, 'WITHSCORES')
  ranking.veil = first[1] and {member = first[1], key = tonumber(first[2])} or {all = true}
end

local function rank_of(ranking, key, position)
  if ask.ordinal then
    return position
  end
  return call('ZCOUNT', ranking.z, '-inf', '(' .. exact(key)) + 1
end

local function row_of(ranking, player, entry, position, rank, measured)
  local worse = false
  if measured then
    worse = call('ZCOUNT', ranking.z, '(' .. exact(entry.key), '+inf') + (ranking.dropped or 0)
  end
  return {rank, position, player, entry.name, entry.key, entry.meta, worse}
end

local function rows_of(ranking, veiled, start, stop, measured)
  start = math.max(start, veiled)
  local rows = {}
  if start >= stop then
    return rows
  end
  local places, position, rank, key = call('ZRANGE', ranking.z, start, stop - 1), start, 0, nil
  each_block(places, function(...)
    local players = {}
    for i, each in ipairs({...}) do
      players[i] = each:sub(15)
    end
    for i, text in ipairs(call('HMGET', ranking.h, unpack(players))) do
      local entry = unpacked(text)
      position = position + 1
      if entry.key ~= key then
        -- Within a tie the rank stays; only the first row of a window may begin inside one.
        rank = key and position or rank_of(ranking, entry.key, position)
        key = entry.key
      elseif ask.ordinal then
        rank = position
      end
      rows[position - start] = row_of(ranking, players[i], entry, position, rank, measured)
    end
  end)
  return rows
end

local function around(ranking, veiled, player, radius)
  local entry = get(ranking, player)
  local index = entry and call('ZRANK', ranking.z, member(player, entry))
  if not index or index < veiled then
    return {}
  end
  return rows_of(ranking, veiled, math.max(0, index - radius), index + radius + 1, true)
end

local function chosen(ranking, veiled, players)
  local rows = {}
  for _, player in ipairs(players) do
    local entry = get(ranking, player)
    local index = entry and call('ZRANK', ranking.z, member(player, entry))
    if index and index >= veiled then
      local rank = rank_of(ranking, entry.key, index + 1)
      rows[#rows + 1] = row_of(ranking, player, entry, index + 1, rank, true)
    end
  end
  table.sort(rows, function(a, b) return a[2] < b[2] end)
  return rows
end

-- What a view shows.
local function window(ranking, view, version)
  local veiled = veiled_of(ranking)
  local seen = {version = version, total = total_of(ranking)}
  if view.top then
    seen.rows = rows_of(ranking, veiled, view.offset or 0, (view.offset or 0) + view.top, false)
  end
  if view.around then
    seen.around = around(ranking, veiled, view.around, view.radius)
  end
  if view.of then
    seen.of = chosen(ranking, veiled, view.of)
  end
  return seen
end
