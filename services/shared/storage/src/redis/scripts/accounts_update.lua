-- Writes an account if it still has the expected version.
-- KEYS: counter, accounts by change, the account, accounts by removal. ARGV: id, expected version, removal ('' for
-- none), the rest as JSON. Answers 1 and the new version, or 0 and the one that was found.
local found = tonumber(redis.call('HGET', KEYS[3], 'version') or nil)
if not found or found ~= tonumber(ARGV[2]) then return {0, found or 0} end
local changed = stamp(KEYS[1])
redis.call('HSET', KEYS[3], 'version', changed, 'removed', ARGV[3], 'rest', ARGV[4])
redis.call('ZADD', KEYS[2], changed, ARGV[1])
if ARGV[3] == '' then redis.call('ZREM', KEYS[4], ARGV[1]) else redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1]) end
return {1, changed}
