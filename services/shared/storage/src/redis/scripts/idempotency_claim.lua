-- Takes a request for an owner, unless somebody was first. KEYS: the request. ARGV: fingerprint, owner, milliseconds.
-- Answers one of yours, running, different, answered (with the answer), not_kept.
local known = redis.call('HMGET', KEYS[1], 'fingerprint', 'owner', 'answer')
if not known[1] then
    redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'owner', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return {'yours', ''}
end
if known[1] ~= ARGV[1] then return {'different', ''} end
if known[2] then return {'running', ''} end
if known[3] then return {'answered', known[3]} end
return {'not_kept', ''}
