-- Counts a request of a key, if every budget has something left. KEYS: the reservation, the key's counters of day, week, month
-- and ever. ARGV: tokens counted beforehand, how long it can be settled (ms), how long each of the four counters is kept (ms,
-- empty for ever), the budgets in requests, tokens and units of each of the four (empty for none).
local spent = {}
local left = true
for period = 1, 4 do
    local at = redis.call('HMGET', KEYS[1 + period], 'requests', 'tokens', 'units')
    for unit = 1, 3 do
        local amount = tonumber(at[unit] or 0)
        local budget = tonumber(ARGV[3 + 3 * period + unit])
        left = left and not (budget and amount >= budget)
        spent[#spent + 1] = amount
    end
end
local known = redis.call('HGET', KEYS[1], 'ended')
if known == '1' then return {'ended', spent} end
if known then return {'counted', spent} end
if not left then return {'used_up', spent} end
for period = 1, 4 do
    local counter = KEYS[1 + period]
    spent[3 * period - 2] = redis.call('HINCRBY', counter, 'requests', 1)
    spent[3 * period - 1] = redis.call('HINCRBY', counter, 'tokens', ARGV[1])
    if ARGV[2 + period] ~= '' then redis.call('PEXPIRE', counter, ARGV[2 + period]) end
end
redis.call('HSET', KEYS[1], 'ended', 0, 'tokens', ARGV[1], 'day', KEYS[2], 'week', KEYS[3], 'month', KEYS[4], 'ever', KEYS[5])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'counted', spent}
