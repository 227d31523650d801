-- Adds an item; one with the same name or the same source goes. KEYS: names, by use, by source, bytes held, by
-- creation. ARGV: prefix of an item's key, name, source, size, last use, creation, then the item's other fields and values.
local prefix, name, source, size, used, created = unpack(ARGV, 1, 6)
local function forget(name)
    local known = redis.call('HMGET', prefix .. name, 'source', 'size')
    if not known[1] then return end
    redis.call('HDEL', KEYS[3], known[1])
    redis.call('DECRBY', KEYS[4], known[2])
    redis.call('ZREM', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
    redis.call('ZREM', KEYS[5], name)
    redis.call('DEL', prefix .. name)
end
forget(name)
local same = redis.call('HGET', KEYS[3], source)
if same then forget(same) end
redis.call('HSET', prefix .. name, 'source', source, 'size', size, 'used', used, 'created', created, unpack(ARGV, 7))
redis.call('HSET', KEYS[3], source, name)
redis.call('INCRBY', KEYS[4], size)
redis.call('ZADD', KEYS[1], 0, name)
redis.call('ZADD', KEYS[2], used, name)
redis.call('ZADD', KEYS[5], created, name)
return 1
