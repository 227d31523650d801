-- Forgets a value; 1 when it was there. KEYS: the value, all ids, the bytes that all take. ARGV: id.
local size = redis.call('STRLEN', KEYS[1])
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DECRBY', KEYS[3], size)
return 1
