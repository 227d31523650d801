-- Forgets one item, or some of all. KEYS: names, by use, by source, bytes held, by creation. ARGV: prefix of an item's
-- key, how many at most, then the name, if it is one. Answers how many.
local names = ARGV[3] and {ARGV[3]} or redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)
local count = 0
for _, name in ipairs(names) do
    local known = redis.call('HMGET', ARGV[1] .. name, 'source', 'size')
    if known[1] then
        redis.call('HDEL', KEYS[3], known[1])
        redis.call('DECRBY', KEYS[4], known[2])
        redis.call('ZREM', KEYS[1], name)
        redis.call('ZREM', KEYS[2], name)
        redis.call('ZREM', KEYS[5], name)
        redis.call('DEL', ARGV[1] .. name)
        count = count + 1
    end
end
return count
