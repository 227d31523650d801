-- Removes an account softly. KEYS: counter, accounts by change, the account, accounts by removal. ARGV: id, now.
-- Answers whether it was there.
if redis.call('HGET', KEYS[3], 'removed') ~= '' then return 0 end
local changed = stamp(KEYS[1])
redis.call('HSET', KEYS[3], 'version', changed, 'removed', ARGV[2])
redis.call('ZADD', KEYS[2], changed, ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
return 1
