-- Writes a job whose version is the expected one (none for a new job); 1 when it did. KEYS: the job, its client's ids, open
-- ones by last sign, ended ones by age. ARGV: expected version, id, client, open, last sign, time of making, version, details.
local expected, id, client, open, alive, created, version, details = unpack(ARGV, 1, 8)
if (redis.call('HGET', KEYS[1], 'version') or '') ~= expected then return 0 end
redis.call('HSET', KEYS[1], 'client', client, 'open', open, 'alive', alive, 'created', created, 'version', version,
    'details', details)
redis.call('ZADD', KEYS[2], 0, id)
if open == '1' then
    redis.call('ZADD', KEYS[3], alive, id)
else
    redis.call('ZREM', KEYS[3], id)
    redis.call('ZADD', KEYS[4], created, id)
end
return 1
