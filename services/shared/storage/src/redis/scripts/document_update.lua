-- Writes a document if it still has the expected version. KEYS: the document, ids by name, ids by change, counter, order
-- of the actions, actions. ARGV: id, name, expected version, the rest as JSON, the counter that must not have moved (or
-- nothing); id of the action and the action, if it is logged. Answers 1 and the new version; 0 and the one that was
-- found; 2 when the name belongs to another; or 3 when the counter has moved.
local found = tonumber(redis.call('HGET', KEYS[1], 'version') or nil)
if not found or found ~= tonumber(ARGV[3]) then return {0, found or 0} end
local owner = redis.call('HGET', KEYS[2], ARGV[2])
if owner and owner ~= ARGV[1] then return {2, found} end
if ARGV[5] ~= '' and ARGV[5] ~= (redis.call('GET', KEYS[4]) or '0') then return {3, found} end
local changed = stamp(KEYS[4])
redis.call('HDEL', KEYS[2], redis.call('HGET', KEYS[1], 'name'))
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'version', changed, 'rest', ARGV[4])
redis.call('ZADD', KEYS[3], changed, ARGV[1])
if ARGV[6] then
    redis.call('ZADD', KEYS[5], 0, ARGV[6])
    redis.call('HSET', KEYS[6], ARGV[6], ARGV[7])
end
return {1, changed}
