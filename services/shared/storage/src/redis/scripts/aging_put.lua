-- Keeps a value that is not there yet; 1 when it was not. KEYS: the value, all ids, the bytes that all take. ARGV: id, value.
if redis.call('SETNX', KEYS[1], ARGV[2]) == 0 then return 0 end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('INCRBY', KEYS[3], #ARGV[2])
return 1
