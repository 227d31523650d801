-- The queue of readings. A target is `account/class`; urgency 0 is the most urgent.

-- As many as `Urgency` has; what nobody waits for comes last.
local URGENCIES = $URGENCIES

local function is_urgent(urgency)
  return urgency == $PRESSING or urgency == $USED
end

local function is_asked(urgency)
  return urgency == $PRESSING or urgency == $ASKED
end

-- Both of two wishes for one reading.
local function both(one, other)
  if (is_asked(one) or is_asked(other)) and (is_urgent(one) or is_urgent(other)) then
    return $PRESSING
  end
  return math.min(one, other)
end

local function read_key(target)
  return key('read', target)
end

local function unqueue(target)
  local urgency = redis.call('HGET', read_key(target), 'urgency')
  if urgency then
    redis.call('ZREM', key('due', urgency), target)
    redis.call('HDEL', read_key(target), 'urgency', 'due')
  end
  return urgency
end

-- Asks for a reading; a more urgent wish replaces a lesser one, and back-off holds for all but the operator.
local function want(target, urgency)
  local entry = redis.call('HMGET', read_key(target), 'urgency', 'due', 'not_before')
  local queued = number(entry[1])
  if queued then
    urgency = both(queued, urgency)
  end
  local due = now
  if not is_asked(urgency) then
    due = math.max(now, number(entry[3]) or 0)
  end
  if queued and (queued < urgency or (queued == urgency and number(entry[2]) <= due)) then
    return
  end
  unqueue(target)
  redis.call('ZADD', key('due', urgency), text(due), target)
  redis.call('HSET', read_key(target), 'urgency', urgency, 'due', text(due))
end

local function forget_read(target)
  unqueue(target)
  redis.call('DEL', read_key(target))
  redis.call('ZREM', key('reading'), target)
end

-- A reading that was begun is asked for again, as urgently as before.
local function again(target)
  redis.call('ZREM', key('reading'), target)
  want(target, number(redis.call('HGET', read_key(target), 'begun')) or URGENCIES - 1)
end

-- Whoever makes a reading may die.
local function abandoned()
  for _, target in ipairs(redis.call('ZRANGEBYSCORE', key('reading'), '-inf', text(now), 'LIMIT', 0, 100)) do
    again(target)
  end
end

-- The first target that is due and nobody reads, with its urgency; those of accounts that are gone are forgotten.
local function first_due(only_urgent)
  for urgency = 0, URGENCIES - 1 do
    local due = {}
    if is_urgent(urgency) or not only_urgent then
      due = redis.call('ZRANGEBYSCORE', key('due', urgency), '-inf', text(now), 'LIMIT', 0, 100)
    end
    for _, target in ipairs(due) do
      if redis.call('EXISTS', key('account', string.match(target, '^[^/]*'))) == 0 then
        forget_read(target)
      elseif not redis.call('ZSCORE', key('reading'), target) then
        return target, urgency
      end
    end
  end
end

-- What was asked of the upstream in the last minute, and what of it was not urgent.
local function count_request(name, urgency)
  redis.call('ZADD', key('begun'), text(now), name)
  if not is_urgent(urgency) then
    redis.call('ZADD', key('bulk'), text(now), name)
  end
end

-- budget, what of it is for what is not urgent -> {now, target, urgency, number} or {now}
function ops.take()
  abandoned()
  for _, name in ipairs({'begun', 'bulk'}) do
    redis.call('ZREMRANGEBYSCORE', key(name), '-inf', text(now - $MINUTE_MS))
  end
  local paused = (number(redis.call('GET', key('paused'))) or 0) > now
  if paused or redis.call('ZCARD', key('begun')) >= tonumber(ARGV[4]) then
    return {now}
  end
  local target, urgency = first_due(redis.call('ZCARD', key('bulk')) >= tonumber(ARGV[5]))
  if not target then
    return {now}
  end
  local begun = count('readings')
  unqueue(target)
  redis.call('HSET', read_key(target), 'begun', urgency)
  redis.call('ZADD', key('reading'), text(now + $READING_MS), target)
  count_request(begun, urgency)
  return {now, target, urgency, begun}
end

-- number, urgency: along with this reading something else is asked of the upstream.
function ops.along()
  count_request(ARGV[4] .. '+', tonumber(ARGV[5]))
  return {now}
end

-- milliseconds: nobody is to read anything for so long.
function ops.pause()
  local till = now + tonumber(ARGV[4])
  if (number(redis.call('GET', key('paused'))) or 0) < till then
    redis.call('SET', key('paused'), text(till), 'PX', ARGV[4])
  end
  return {now}
end

-- target, number, '1' if it is to be made by another: a reading that was not made costs nothing.
function ops.unread()
  redis.call('ZREM', key('begun'), ARGV[5])
  redis.call('ZREM', key('bulk'), ARGV[5])
  if ARGV[6] == '1' then
    again(ARGV[4])
  else
    forget_read(ARGV[4])
  end
  return {now}
end

-- target, '1' if it was taken over, '1' if nobody needs another
function ops.done()
  local target, ok, satisfied = ARGV[4], ARGV[5] == '1', ARGV[6] == '1'
  local entry = read_key(target)
  redis.call('ZREM', key('reading'), target)
  if not ok then
    local failures = number(redis.call('HGET', entry, 'failures')) or 0
    local wait = math.min($FIRST_RETRY_MS * 2 ^ math.min(failures, 20), $LONGEST_RETRY_MS)
    redis.call('HSET', entry, 'failures', failures + 1, 'not_before', text(now + wait))
    -- What the operator has asked for meanwhile is still to come.
    if not is_asked(number(redis.call('HGET', entry, 'urgency'))) then
      unqueue(target)
    end
    want(target, URGENCIES - 1)
    return {now}
  end
  redis.call('HDEL', entry, 'failures', 'not_before', 'begun')
  if satisfied and not is_asked(number(redis.call('HGET', entry, 'urgency'))) then
    forget_read(target)
  end
  return {now}
end

-- (target, urgency)* -> {now, readings begun so far}
function ops.want()
  for i = 4, #ARGV, 2 do
    want(ARGV[i], tonumber(ARGV[i + 1]))
  end
  return {now, redis.call('GET', key('readings')) or '0'}
end
