-- The stamp of a write: the server's milliseconds, or one more than the last one. A store that was put back to an
-- earlier state gives none a second time, so what has a stamp is known by it.
local function stamp(counter)
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local next = math.max(now, tonumber(redis.call('GET', counter) or 0) + 1)
    redis.call('SET', counter, next)
    return next
end
