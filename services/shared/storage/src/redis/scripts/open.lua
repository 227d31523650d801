-- Marks a new store with the format. KEYS: format. ARGV: the newest format. Answers what was found, 0 for a new store.
local found = redis.call('GET', KEYS[1])
if found then return tonumber(found) end
redis.call('SET', KEYS[1], ARGV[1])
return 0
