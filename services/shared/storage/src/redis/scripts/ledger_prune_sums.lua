-- Forgets sums of the oldest start before a time. ARGV: prefix of all keys, grain, the time, how many go at most. Answers
-- how many went.
local prefix, grain, limit = ARGV[1], ARGV[2], tonumber(ARGV[4])
local starts = prefix .. 'starts:' .. grain
local start = redis.call('ZRANGEBYSCORE', starts, '-inf', '(' .. ARGV[3], 'LIMIT', 0, 1)[1]
if not start then return 0 end
local gone = 0
for dimension = 0, 3 do
    local place = grain .. ':' .. dimension .. ':' .. start
    for _, value in ipairs(redis.call('ZRANGE', prefix .. 'rank:' .. place, 0, limit - gone - 1)) do
        redis.call('DEL', prefix .. 'sum:' .. place .. ':' .. value)
        redis.call('ZREM', prefix .. 'rank:' .. place, value)
        gone = gone + 1
    end
    if gone >= limit then return gone end
end
redis.call('ZREM', starts, start)
return gone
