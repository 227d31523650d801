-- Removes an account softly, whatever else is in it. KEYS: counter, accounts by change, the account, accounts by removal.
-- ARGV: id, now. Answers whether it was there.
local removed = redis.call('HGET', KEYS[3], 'removed')
if redis.call('EXISTS', KEYS[3]) == 0 or (removed and removed ~= '') then return 0 end
local changed = stamp(KEYS[1])
redis.call('HSET', KEYS[3], 'removed', ARGV[2], 'version', changed)
redis.call('ZADD', KEYS[2], changed, ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
return 1
