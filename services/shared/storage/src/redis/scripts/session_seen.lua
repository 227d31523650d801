-- Notes that a session was seen. KEYS: the session, digests by expiry. ARGV: digest, now, expiry. Answers whether it is
-- there.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'seen', ARGV[2], 'expires', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return 1
