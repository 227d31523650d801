-- Forgets some of the accounts that were removed before a time. KEYS: accounts by change, ids by token, accounts by
-- removal. ARGV: prefix of an account's key, the time, how many at most. Answers how many.
local ids = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do
    local digest = redis.call('HGET', ARGV[1] .. id, 'digest')
    if digest then redis.call('HDEL', KEYS[2], digest) end
    redis.call('DEL', ARGV[1] .. id)
    redis.call('ZREM', KEYS[1], id)
    redis.call('ZREM', KEYS[3], id)
end
return #ids
