-- Notes uses. ARGV: prefix of a document's key, then id and time of each use.
for at = 2, #ARGV, 2 do
    local key = ARGV[1] .. ARGV[at]
    local before = redis.call('HGET', key, 'used')
    if redis.call('EXISTS', key) == 1 and (not before or tonumber(before) < tonumber(ARGV[at + 1])) then
        redis.call('HSET', key, 'used', ARGV[at + 1])
    end
end
return 1
