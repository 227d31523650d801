-- Counts one more. KEYS: the count. ARGV: milliseconds after which it begins anew. Answers how many, and what is left of the time.
local number = redis.call('INCR', KEYS[1])
if number == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {number, redis.call('PTTL', KEYS[1])}
