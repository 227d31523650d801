-- Accounts as a whole.

-- Whether the request may penalise the account; if so, it has.
local function penalises(request, id)
  local penalised = key('penalised', request)
  if redis.call('SISMEMBER', penalised, id) == 1 then
    return true
  end
  if redis.call('SCARD', penalised) >= $PENALISED_PER_REQUEST then
    return false
  end
  redis.call('SADD', penalised, id)
  if redis.call('PTTL', penalised) < 0 then
    redis.call('PEXPIRE', penalised, $REQUEST_REMEMBERED_MS)
  end
  return true
end

-- account, version, request ('' when nobody is penalised), witness and its revision ('' for none), number of fields,
-- (field, value)*, (target, urgency)*
-- -> {now, 'put', doc} | {now, 'changed', doc} | {now, 'witness', account, doc} | {now, 'gone'} | {now, 'spared'}
function ops.put()
  local id, account = ARGV[4], key('account', ARGV[4])
  local version = redis.call('HGET', account, 'version')
  if not version then
    return {now, 'gone'}
  end
  if version ~= ARGV[5] then
    return {now, 'changed', doc(id)}
  end
  -- The account that must remain when this one is made to rest.
  local witness = ARGV[7]
  if witness ~= '' and redis.call('HGET', key('account', witness), 'revision') ~= ARGV[8] then
    return {now, 'witness', witness, doc(witness)}
  end
  if ARGV[6] ~= '' and not penalises(ARGV[6], id) then
    return {now, 'spared'}
  end
  local last = 9 + tonumber(ARGV[9])
  for i = 10, last, 2 do
    redis.call('HSET', account, ARGV[i], ARGV[i + 1])
  end
  redis.call('HSET', account, 'revision', touch(id))
  for i = last + 1, #ARGV, 2 do
    want(ARGV[i], tonumber(ARGV[i + 1]))
  end
  tell('changed', id)
  return {now, 'put', doc(id)}
end

-- Somebody knows how little was left before the state was lost: the lesser number holds, until it is read.
local function humble(id, fields)
  local account, changed = key('account', id), false
  for name, value in pairs(fields) do
    local window = string.match(name, '^(w:.*:)remaining$')
    local known = window and redis.call('HMGET', account, name, window .. 'reserved')
    local most = window and number(value) and number(value) + (number(known[2]) or 0)
    if most and (not number(known[1]) or number(known[1]) > most) then
      redis.call('HSET', account, name, text(most), window .. 'doubtful', 1)
      changed = true
    end
  end
  if changed then
    redis.call('HSET', account, 'revision', touch(id))
    tell('changed', id)
  end
end

local function make(id, row, fields)
  local account = key('account', id)
  for name, value in pairs(fields) do
    redis.call('HSET', account, name, value)
  end
  local made = touch(id)
  redis.call('HSET', account, 'in_flight', 0, 'revision', made, 'made', made, 'row', row)
  redis.call('DEL', key('gone', id))
end

-- '1' after a loss, (account, its row's version, number of fields, (field, value)*)*
-- Makes those that are not there yet; without fields, only looks.
-- -> {now, (account, 'made' or 'known' or 'gone' or 'missing', doc)*}
function ops.load()
  local answer, i = {now}, 5
  while i <= #ARGV do
    local id, row, count = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    local fields = {}
    for field = i + 3, i + 2 + count, 2 do
      fields[ARGV[field]] = ARGV[field + 1]
    end
    local state = 'known'
    if redis.call('EXISTS', key('account', id)) == 1 then
      if ARGV[4] == '1' then
        humble(id, fields)
      end
    elseif row <= (number(redis.call('GET', key('gone', id))) or -1) then
      state = 'gone'
    elseif count == 0 then
      state = 'missing'
    else
      make(id, ARGV[i + 1], fields)
      state = 'made'
    end
    answer[#answer + 1] = id
    answer[#answer + 1] = state
    answer[#answer + 1] = doc(id)
    i = i + 3 + count
  end
  return answer
end

-- account, the version of its row that was removed, target*: its leases end with it. One that was added again since
-- stays, and whoever has not heard of the removal yet does not bring it back.
function ops.drop()
  local id, account = ARGV[4], key('account', ARGV[4])
  if (number(redis.call('HGET', account, 'row')) or -1) > tonumber(ARGV[5]) then
    return {now}
  end
  redis.call('DEL', account)
  redis.call('ZREM', key('changed'), id)
  redis.call('SET', key('gone', id), ARGV[5], 'PX', $GONE_MS)
  for i = 6, #ARGV do
    forget_read(ARGV[i])
  end
  return {now}
end

-- what was seen, how many at most -> {now, birth, newest, (account, version, doc)*}
function ops.changed()
  local birth = redis.call('GET', key('birth'))
  if not birth then
    birth = replica .. '-' .. text(now)
    redis.call('SET', key('birth'), birth)
  end
  local answer = {now, birth, redis.call('GET', key('changes')) or '0'}
  local rows = redis.call('ZRANGEBYSCORE', key('changed'), '(' .. ARGV[4], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[5])
  for i = 1, #rows, 2 do
    answer[#answer + 1] = rows[i]
    answer[#answer + 1] = text(tonumber(rows[i + 1]))
    answer[#answer + 1] = doc(rows[i])
  end
  return answer
end

-- birth: the state turned out to be older than what is known. Everybody who has seen it under this name must look.
-- -> {now, birth}
function ops.rebirth()
  if (redis.call('GET', key('birth')) or ARGV[4]) == ARGV[4] then
    redis.call('SET', key('birth'), replica .. '-' .. text(now))
  end
  return {now, redis.call('GET', key('birth'))}
end

-- The store has changed.
function ops.stored()
  tell('stored', '')
  return {now}
end
