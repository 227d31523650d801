-- Notes uses, all in one step. ARGV: for each use the beginning of its kind's keys, the name and the time.
for at = 1, #ARGV, 3 do
    local kind, name, used = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local before = redis.call('ZSCORE', kind .. 'used', name)
    if before and tonumber(before) < tonumber(used) then
        redis.call('ZADD', kind .. 'used', used, name)
        redis.call('HSET', kind .. 'item:' .. name, 'used', used)
    end
end
return 1
