-- Ends an owner's claim with an answer; whether it was theirs. KEYS: the request, ends of answers, bytes of all answers.
-- ARGV: owner, milliseconds, what the answer counts, most bytes of all, prefix of requests, id, and the answer unless it
-- is not kept.
-- An entry of the ends is "count:id" with the time at which Redis forgets the answer by itself.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'owner')
if ARGV[7] then redis.call('HSET', KEYS[1], 'answer', ARGV[7]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function count(entry) return tonumber(string.match(entry, '^%d+')) end
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 500)) do
    redis.call('ZREM', KEYS[2], entry)
    redis.call('DECRBY', KEYS[3], count(entry))
end
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[3] .. ':' .. ARGV[6])
local bytes = redis.call('INCRBY', KEYS[3], ARGV[3])
while bytes > tonumber(ARGV[4]) do
    local entry = redis.call('ZPOPMIN', KEYS[2])[1]
    if not entry then break end
    redis.call('DEL', ARGV[5] .. string.match(entry, ':(.*)$'))
    bytes = redis.call('DECRBY', KEYS[3], count(entry))
end
return 1
