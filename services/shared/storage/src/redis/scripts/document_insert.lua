-- Adds a document under a unique name. KEYS: the document, ids by name, ids by change, counter. ARGV: id, name, creation,
-- the rest as JSON. Answers whether neither id nor name was taken.
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'created', ARGV[3], 'version', 1, 'rest', ARGV[4])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], stamp(KEYS[4]), ARGV[1])
return 1
