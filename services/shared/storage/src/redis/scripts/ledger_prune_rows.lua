-- Forgets the oldest rows that are too many or come before an id. ARGV: prefix of all keys, the id, how many are kept, how
-- many go at most. Answers how many went.
local prefix, cutoff, limit = ARGV[1], ARGV[2], tonumber(ARGV[4])
local excess = redis.call('ZCARD', prefix .. 'rows') - tonumber(ARGV[3])
local gone = 0
for at, id in ipairs(redis.call('ZRANGEBYLEX', prefix .. 'rows', '-', '+', 'LIMIT', 0, limit)) do
    if at > excess and id >= cutoff then return gone end
    local row = redis.call('HMGET', prefix .. 'row:' .. id, 'model', 'key', 'account', 'outcome')
    for field, name in ipairs({'model:', 'key:', 'account:', 'outcome:'}) do
        redis.call('ZREM', prefix .. name .. (row[field] or ''), id)
    end
    redis.call('DEL', prefix .. 'row:' .. id)
    redis.call('ZREM', prefix .. 'rows', id)
    gone = gone + 1
end
return gone
