-- Forgets a job; 1 when it was known. KEYS: the job, open ones by last sign, ended ones by age. ARGV: id, prefix of the
-- clients' keys.
local client = redis.call('HGET', KEYS[1], 'client')
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if not client then return 0 end
redis.call('ZREM', ARGV[2] .. client, ARGV[1])
redis.call('DEL', KEYS[1])
return 1
