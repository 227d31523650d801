-- The pool's hot state. One script, so that one call is one round trip and atomic; `ARGV[1]` names the operation.
-- KEYS[1] begins every key and holds the hash tag, so all keys are in one slot of a cluster. KEYS[2] is where changes
-- are told.
-- ARGV[2] is the time in milliseconds, or empty for the server's; ARGV[3] names the calling replica.
-- Every answer begins with the time.

local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local replica = ARGV[3]
local ops = {}

local function key(...)
  return KEYS[1] .. table.concat({...}, ':')
end

local function number(text)
  return tonumber(text or '')
end

local function text(n)
  return string.format('%.0f', n)
end

local function doc(id)
  return redis.call('HGETALL', key('account', id))
end

-- Counts on, and never below the time: what is counted after a server with older state has taken over, or one with
-- none, is greater than all that was counted before.
local function count(name)
  local counted = math.max((number(redis.call('GET', key(name))) or 0) + 1, now * 1000)
  redis.call('SET', key(name), text(counted))
  return text(counted)
end

-- An account has changed: whoever has an older version of it must fetch it.
local function touch(id)
  local version = count('changes')
  redis.call('HSET', key('account', id), 'version', version)
  redis.call('ZADD', key('changed'), version, id)
  return version
end

-- To the other replicas, who watch for it.
local function tell(kind, id, class, outcome)
  redis.call('PUBLISH', KEYS[2], table.concat({replica, kind, id, class or '', outcome or ''}, '\n'))
end
