-- Adds a session. KEYS: the session, digests by expiry, digests of its admin. ARGV: digest, expiry, then its fields and
-- values. Answers whether there was none.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'expires', ARGV[2], unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[1])
return 1
