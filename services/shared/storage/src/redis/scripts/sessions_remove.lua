-- Ends sessions. KEYS: digests by expiry. ARGV: prefix of a session's key, prefix of the set of an admin's digests, then
-- what: 'one' and a digest, 'admin' and an id, or 'expired', a time and how many at most. Answers how many there were.
local which, value = ARGV[3], ARGV[4]
local digests = {value}
if which == 'admin' then
    digests = redis.call('SMEMBERS', ARGV[2] .. value)
elseif which == 'expired' then
    digests = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. value, 'LIMIT', 0, ARGV[5])
end
local count = 0
for _, digest in ipairs(digests) do
    local key = ARGV[1] .. digest
    local admin = redis.call('HGET', key, 'admin')
    if admin then
        redis.call('SREM', ARGV[2] .. admin, digest)
        redis.call('DEL', key)
        count = count + 1
    end
    redis.call('ZREM', KEYS[1], digest)
end
return count
