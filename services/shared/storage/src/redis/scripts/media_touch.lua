-- Notes uses of one kind. KEYS: by use. ARGV: prefix of an item's key, then name and time of each use.
for at = 2, #ARGV, 2 do
    local name, used = ARGV[at], ARGV[at + 1]
    local before = redis.call('ZSCORE', KEYS[1], name)
    if before and tonumber(before) < tonumber(used) then
        redis.call('ZADD', KEYS[1], used, name)
        redis.call('HSET', ARGV[1] .. name, 'used', used)
    end
end
return 1
