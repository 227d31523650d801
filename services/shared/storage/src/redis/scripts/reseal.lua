-- Replaces a value if it is still the one that was read. KEYS: its key. ARGV: the hash's field ('' for a plain key), the
-- old value, the new one. Answers whether it was.
if ARGV[1] == '' then
    if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
    redis.call('SET', KEYS[1], ARGV[3])
else
    if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
