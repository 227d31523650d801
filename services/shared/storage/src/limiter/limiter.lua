-- The limits of one client key: what `window.rs` and `memory.rs` are in one process. `ARGV[1]` names the operation.
-- KEYS, all in the key's own slot of a cluster: the windows of requests and of tokens (hashes: amounts by slice, `total`,
-- and the oldest and newest slice that may hold something), the slots (by the end of their time), then the requests that
-- the operation is about.
-- ARGV[2] is the time in milliseconds, or empty for the server's.

local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local newest = math.floor(now / $SLICE)
local ops = {}

local function text(n)
  return string.format('%.0f', n)
end

local function out_at(slice)
  return (slice + 1 + $SLICES) * $SLICE
end

-- Lets time pass. -> total, oldest, newest slice
local function passed(window)
  local at = redis.call('HMGET', window, 'total', 'oldest', 'newest')
  local total, first, last = tonumber(at[1] or 0), tonumber(at[2]), tonumber(at[3])
  if not first or out_at(last) <= now then
    redis.call('DEL', window)
    return 0
  end
  local edge = newest - $SLICES
  if first >= edge then
    return total, first, last
  end
  for slice = first, edge - 1 do
    local amount = redis.call('HGET', window, text(slice))
    if amount then
      total = total - tonumber(amount)
      redis.call('HDEL', window, text(slice))
    end
  end
  redis.call('HSET', window, 'total', text(total), 'oldest', text(edge))
  return total, edge, last
end

local function add(window, amount)
  if amount == 0 then
    return
  end
  local at = redis.call('HMGET', window, 'oldest', 'newest')
  local slice = math.max(newest, tonumber(at[2] or newest))
  redis.call('HINCRBY', window, 'total', text(amount))
  redis.call('HINCRBY', window, text(slice), text(amount))
  redis.call('HSET', window, 'oldest', at[1] or text(slice), 'newest', text(slice))
  redis.call('PEXPIRE', window, text(out_at(slice) - now + 1000))
end

local function take_back(window, at, amount)
  local slice = text(math.floor(at / $SLICE))
  local counted = tonumber(redis.call('HGET', window, slice) or 0)
  local taken = math.min(amount, counted)
  if taken == 0 then
    return
  end
  redis.call('HINCRBY', window, 'total', text(-taken))
  if taken < counted then
    redis.call('HINCRBY', window, slice, text(-taken))
    return
  end
  redis.call('HDEL', window, slice)
  -- The newest slice is one that holds something.
  local bounds = redis.call('HMGET', window, 'oldest', 'newest')
  local first, last = tonumber(bounds[1]), tonumber(bounds[2])
  while last >= first and redis.call('HEXISTS', window, text(last)) == 0 do
    last = last - 1
  end
  if last < first then
    redis.call('DEL', window)
  else
    redis.call('HSET', window, 'newest', text(last))
  end
end

-- -> used, when there is something left again, when nothing is counted any more
local function gauge(window, limit)
  local total, first, last = passed(window)
  if total == 0 then
    return {'0', '0', '0'}
  end
  local left, frees_at, slice = total, 0, first
  while limit and left >= limit and slice <= last do
    local amount = redis.call('HGET', window, text(slice))
    if amount then
      left = left - tonumber(amount)
      frees_at = out_at(slice)
    end
    slice = slice + 1
  end
  return {text(total), text(frees_at), text(out_at(last))}
end

local function gauges(requests, tokens, refused)
  local r, t = gauge(KEYS[1], requests), gauge(KEYS[2], tokens)
  return {refused, text(now), r[1], r[2], r[3], t[1], t[2], t[3], text(redis.call('ZCARD', KEYS[3]))}, r, t
end

local function hold(id)
  redis.call('ZADD', KEYS[3], text(now + $SLOT_MS), id)
  redis.call('PEXPIRE', KEYS[3], $SLOT_MS + 1000)
end

-- requests, tokens, concurrency (empty without a limit), and to count one: id, its tokens
-- -> {refused by, now, requests' gauge, tokens' gauge, in flight}
function ops.admit()
  local requests, tokens, concurrency = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now))
  local answer, r, t = gauges(requests, tokens, '')
  if not KEYS[4] or redis.call('EXISTS', KEYS[4]) == 1 then
    return answer
  end
  if r[2] ~= '0' then
    answer[1] = 'requests'
  elseif t[2] ~= '0' then
    answer[1] = 'tokens'
  elseif concurrency and tonumber(answer[9]) >= concurrency then
    answer[1] = 'concurrency'
  end
  if answer[1] ~= '' then
    return answer
  end
  add(KEYS[1], 1)
  add(KEYS[2], tonumber(ARGV[7]))
  if concurrency then
    hold(ARGV[6])
  end
  redis.call('SET', KEYS[4], text(now) .. ' ' .. ARGV[7], 'PX', $REMEMBERED_MS)
  answer = gauges(requests, tokens, '')
  return answer
end

-- id, all its tokens (empty takes back what was counted), '1' when it stays one of the minute's requests
function ops.settle()
  redis.call('ZREM', KEYS[3], ARGV[3])
  local counted = redis.call('GET', KEYS[4]) or ''
  redis.call('SET', KEYS[4], 'ended', 'PX', $ENDED_MS)
  local at, tokens = string.match(counted, '^(%d+) (%d+)$')
  if at then
    passed(KEYS[2])
    take_back(KEYS[2], tonumber(at), tonumber(tokens))
    add(KEYS[2], tonumber(ARGV[4]) or 0)
    if ARGV[5] ~= '1' then
      passed(KEYS[1])
      take_back(KEYS[1], tonumber(at), 1)
    end
  end
  return {}
end

-- ids
function ops.renew()
  for i = 3, #ARGV do
    if redis.call('GET', KEYS[i + 1]) ~= 'ended' then
      hold(ARGV[i])
    end
  end
  return {}
end

return ops[ARGV[1]]()
