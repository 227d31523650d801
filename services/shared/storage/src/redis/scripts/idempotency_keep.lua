-- Keeps an owner's claim alive, or gives it up. KEYS: the request. ARGV: owner, milliseconds, 0 to give it up.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
