-- The notes of a topic, name and note in turn; those whose time is over go. KEYS: the topic.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local flat = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #flat, 2 do
    local colon = string.find(flat[i + 1], ':', 1, true)
    if tonumber(string.sub(flat[i + 1], 1, colon - 1)) > now then
        table.insert(found, flat[i])
        table.insert(found, string.sub(flat[i + 1], colon + 1))
    else
        redis.call('HDEL', KEYS[1], flat[i])
    end
end
return found
