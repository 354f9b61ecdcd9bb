-- What the boards of one partition share: the clock, when each ends, how many entries there are, and the change log.
--
-- All keys of a partition begin with KEYS[1], which holds its hash tag, so they lie in one slot. Of each, the key is
-- made here, and every one of them expires.
--
--   :ends   sorted set  path -> the moment at which the board ends if nobody uses or watches it
--   :paths  sorted set  path -> 0, for looking them up in order
--   :sizes  hash        path -> entries
--   :log    sorted set  path -> number of its last change; "#path" for who watches it
--   :ctl    hash        changes (the last number), identity (of this log), floor (older changes were trimmed),
--                       entries (of all boards), until (when the keys of the partition expire), poked, revocations
--   :up     sorted set  process -> until when it is known to be alive
--   :server string      what the server calls itself that had it at the last look
--   :settings hash      process -> its rules and ceilings, as JSON; in the first partition
--   :on:P   hash        process -> connections that watch the board of the path P there
--   :kept, :kept-ends   hash, sorted set   id -> a text that is kept, and until when
--   :leaders, :leads    hash, sorted set   name -> the process that does for all what it stands for, and until when
--   :rate:N sorted set  what was given of the rate N, as "count process number" -> when
--
-- Numbers that leave here as text are written with 17 digits; `..` would keep 14 of them. Strings are never compared by
-- order, which depends on the locale of the server. A table goes in and out as MessagePack, so doubles stay what they are.

local call, format = redis.call, string.format
local P = KEYS[1]
local ask = cmsgpack.unpack(ARGV[1])

local time = call('TIME')
local clock = tonumber(time[1]) + tonumber(time[2]) / 1000000
local now = ask.now or clock

local GRACE = 60 -- seconds by which keys outlive their board, so that its end is noticed and told
local LOGGED = 65536 -- changes that the log keeps
local POKE = 0.005 -- seconds between two pokes: they conflate, the log tells all
local SERVED = 86400 -- seconds for which is known which server had a partition
local BLOCK = 1000 -- values in one command: far below what Lua can hand over

local function exact(number)
  return format('%.17g', number)
end

-- Runs a command of which the last arguments may be many.
local function each_block(list, run)
  for first = 1, #list, BLOCK do
    run(unpack(list, first, math.min(#list, first + BLOCK - 1)))
  end
end

-- Where memory is full, Redis refuses the first write of a script if that may grow, and none after another write. Call
-- this where the script takes something away, or must not fail half-way.
local function insist()
  call('UNLINK', P .. ':-')
end

local function expire_shared(seconds)
  local until_ = tonumber(call('HGET', P .. ':ctl', 'until') or 0)
  local wanted = math.ceil(clock + seconds + GRACE)
  if wanted > until_ then
    until_ = wanted
    call('HSET', P .. ':ctl', 'until', wanted)
  end
  for _, kind in ipairs({':ends', ':paths', ':sizes', ':log', ':ctl'}) do
    call('EXPIREAT', P .. kind, until_)
  end
end

local function poke(number)
  local poked = tonumber(call('HGET', P .. ':ctl', 'poked') or 0)
  if clock - poked >= POKE or clock < poked then
    call('HSET', P .. ':ctl', 'poked', exact(clock))
    call(ask.publish, P .. ':poke', number)
  end
end

local told = {} -- what this call has changed, and the numbers of the changes, by turns

-- Writes a change down, and gives its number.
local function tell(what)
  local number = call('HINCRBY', P .. ':ctl', 'changes', 1)
  if number == 1 then
    -- The log begins, perhaps anew: its readers know it by its identity.
    local entries = 0
    for _, size in ipairs(call('HVALS', P .. ':sizes')) do
      entries = entries + tonumber(size)
    end
    call('HSET', P .. ':ctl', 'identity', time[1] .. '.' .. time[2], 'entries', entries)
    call('UNLINK', P .. ':log')
  end
  call('ZADD', P .. ':log', number, what)
  if number % 1024 == 0 then
    call('ZREMRANGEBYSCORE', P .. ':log', '-inf', number - LOGGED)
    call('HSET', P .. ':ctl', 'floor', number - LOGGED)
  end
  poke(number)
  told[#told + 1] = what
  told[#told + 1] = exact(number)
  return number
end

-- Connections that watch a board, in processes that are alive; without those of one of them.
local function watching(path, without)
  local counts, total = call('HGETALL', P .. ':on:' .. path), 0
  for i = 1, #counts, 2 do
    if counts[i] ~= without then
      local alive = call('ZSCORE', P .. ':up', counts[i])
      if alive and tonumber(alive) > clock then
        total = total + tonumber(counts[i + 1])
      end
    end
  end
  return total
end

local function count_boards()
  return call('ZCARD', P .. ':ends') + (ask.other_boards or 0)
end

local function count_entries()
  return tonumber(call('HGET', P .. ':ctl', 'entries') or 0) + (ask.other_entries or 0)
end
