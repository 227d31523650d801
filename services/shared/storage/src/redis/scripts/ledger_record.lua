-- Adds rows and their sums, unless one of the rows is there. ARGV: prefix of all keys, number of rows; of each row id,
-- JSON, model, key, account, outcome; then of each sum grain, dimension, start, value, requests, number of other counters,
-- and these by name. Answers whether it was done.
local prefix, rows, at = ARGV[1], tonumber(ARGV[2]), 3
for row = 0, rows - 1 do
    if redis.call('EXISTS', prefix .. 'row:' .. ARGV[at + row * 6]) == 1 then return 0 end
end
for _ = 1, rows do
    local id, json, model, key, account, outcome = unpack(ARGV, at, at + 5)
    redis.call('HSET', prefix .. 'row:' .. id, 'row', json, 'model', model, 'key', key, 'account', account,
        'outcome', outcome)
    redis.call('ZADD', prefix .. 'rows', 0, id)
    redis.call('ZADD', prefix .. 'model:' .. model, 0, id)
    redis.call('ZADD', prefix .. 'key:' .. key, 0, id)
    redis.call('ZADD', prefix .. 'account:' .. account, 0, id)
    redis.call('ZADD', prefix .. 'outcome:' .. outcome, 0, id)
    at = at + 6
end
while at <= #ARGV do
    local grain, dimension, start, value, requests, counters = unpack(ARGV, at, at + 5)
    local place = grain .. ':' .. dimension .. ':' .. start
    local sum = prefix .. 'sum:' .. place .. ':' .. value
    at = at + 6
    for _ = 1, tonumber(counters) do
        redis.call('HINCRBY', sum, ARGV[at], ARGV[at + 1])
        at = at + 2
    end
    redis.call('ZINCRBY', prefix .. 'rank:' .. place, requests, value)
    redis.call('ZADD', prefix .. 'starts:' .. grain, start, start)
end
return 1
