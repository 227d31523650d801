-- Adds accounts, all or none: a script is one step for everybody else, and for the append-only file.
-- KEYS: counter, accounts by change, ids by token, accounts by removal. ARGV: prefix of an account's key, then for each
-- account: id, digest of its token, sealed token, the id it was sealed for, creation, removal ('' for none), the rest as
-- JSON.
-- Answers for each: 1 and its id, version, creation and removal, when it was added; 0 and its id when it was known.
for at = 2, #ARGV, 7 do
    if redis.call('EXISTS', ARGV[1] .. ARGV[at]) == 1 and not redis.call('HGET', KEYS[3], ARGV[at + 1]) then
        return redis.error_reply('ERR the account ' .. ARGV[at] .. ' has another token')
    end
end
local changed = stamp(KEYS[1])
local answers = {}
for at = 2, #ARGV, 7 do
    local id, digest, sealed, place, created, removed, rest = unpack(ARGV, at, at + 6)
    local known = redis.call('HGET', KEYS[3], digest)
    local added = true
    if not known then
        redis.call('HSET', KEYS[3], digest, id)
        redis.call('HSET', ARGV[1] .. id, 'digest', digest, 'sealed', sealed, 'created', created,
            'version', changed, 'removed', removed, 'rest', rest)
        if removed ~= '' then redis.call('ZADD', KEYS[4], removed, id) end
    else
        id = known
        local key = ARGV[1] .. id
        added = redis.call('HGET', key, 'removed') ~= ''
        if added then
            -- Whatever was in it, which may be damaged.
            created = tonumber(redis.call('HGET', key, 'created') or nil) or created
            removed = ''
            redis.call('HSET', key, 'digest', digest, 'created', created, 'version', changed, 'removed', removed,
                'rest', rest)
            if place == id then redis.call('HSET', key, 'sealed', sealed) end
            redis.call('ZREM', KEYS[4], id)
        end
    end
    if added then
        redis.call('ZADD', KEYS[2], changed, id)
        table.insert(answers, {1, id, changed, tonumber(created)})
    else
        table.insert(answers, {0, id, 0, 0})
    end
end
return answers
