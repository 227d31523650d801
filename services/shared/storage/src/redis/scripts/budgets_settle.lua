-- Ends a reservation; one that was never made cannot be made any more. KEYS: the reservation; it names the counters, which lie
-- in the same slot. ARGV: tokens and units used (empty gives back what was reserved), how long it is known to have ended (ms).
local at = redis.call('HMGET', KEYS[1], 'ended', 'tokens', 'day', 'week', 'month', 'ever')
if at[1] == '0' then
    local tokens = (tonumber(ARGV[1]) or 0) - tonumber(at[2])
    for _, counter in ipairs({at[3], at[4], at[5], at[6]}) do
        if redis.call('EXISTS', counter) == 1 then
            if ARGV[1] == '' then redis.call('HINCRBY', counter, 'requests', -1) end
            redis.call('HINCRBY', counter, 'tokens', string.format('%.0f', tokens))
            redis.call('HINCRBY', counter, 'units', tonumber(ARGV[2]) or 0)
        end
    end
    redis.call('DEL', KEYS[1])
elseif not at[1] then
    redis.call('HSET', KEYS[1], 'ended', 1)
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
