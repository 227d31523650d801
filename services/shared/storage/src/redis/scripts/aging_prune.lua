-- Forgets the oldest values that come before an id, or while all take too much. KEYS: all ids, the bytes that all take. ARGV:
-- prefix of the values' keys, the id, the bytes, how many go at most. Answers how many went.
local gone = 0
for _, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '-', '+', 'LIMIT', 0, tonumber(ARGV[4]))) do
    local all = tonumber(redis.call('GET', KEYS[2]) or '0')
    if id >= ARGV[2] and all <= tonumber(ARGV[3]) then return gone end
    redis.call('DECRBY', KEYS[2], redis.call('STRLEN', ARGV[1] .. id))
    redis.call('DEL', ARGV[1] .. id)
    redis.call('ZREM', KEYS[1], id)
    gone = gone + 1
end
return gone
