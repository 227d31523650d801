-- Adds the revision after the expected one. KEYS: newest number, the revision. ARGV: expected number, sealed overrides,
-- author, time. Answers 1, or 0 and the newest number.
local newest = tonumber(redis.call('GET', KEYS[1]) or '0')
if newest ~= tonumber(ARGV[1]) then return {0, newest} end
redis.call('SET', KEYS[1], newest + 1)
redis.call('HSET', KEYS[2], 'overrides', ARGV[2], 'author', ARGV[3], 'created', ARGV[4])
return {1, newest + 1}
