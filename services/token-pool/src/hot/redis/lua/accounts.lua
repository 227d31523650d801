-- Accounts as a whole.

-- account, version, request ('' when nobody is penalised), what it tells, number of fields, (field, value)*,
-- (target, urgency)* -> {now, 'put', doc} | {now, 'changed', doc} | {now, 'gone'} | {now, 'spared'}
function ops.put()
  local id, account = ARGV[4], key('account', ARGV[4])
  local version = redis.call('HGET', account, 'version')
  if not version then
    return {now, 'gone'}
  end
  if version ~= ARGV[5] then
    return {now, 'changed', doc(id)}
  end
  if ARGV[6] ~= '' then
    local penalised = key('penalised', ARGV[6])
    if redis.call('SISMEMBER', penalised, id) == 0 then
      if redis.call('SCARD', penalised) >= $PENALISED_PER_REQUEST then
        return {now, 'spared'}
      end
      redis.call('SADD', penalised, id)
      if redis.call('PTTL', penalised) < 0 then
        redis.call('PEXPIRE', penalised, $REQUEST_REMEMBERED_MS)
      end
    end
  end
  local last = 8 + tonumber(ARGV[8])
  for i = 9, last, 2 do
    redis.call('HSET', account, ARGV[i], ARGV[i + 1])
  end
  redis.call('HINCRBY', account, 'revision', 1)
  touch(id)
  for i = last + 1, #ARGV, 2 do
    want(ARGV[i], tonumber(ARGV[i + 1]))
  end
  if ARGV[7] ~= '' then
    tell(ARGV[7], id)
  end
  return {now, 'put', doc(id)}
end

-- (account, number of fields, (field, value)*)*: makes those that are not there yet. -> {now, (account, made, doc)*}
function ops.load()
  local answer, i = {now}, 4
  while i <= #ARGV do
    local id, fields = ARGV[i], tonumber(ARGV[i + 1])
    local account = key('account', id)
    local made = redis.call('EXISTS', account) == 0
    if made then
      for field = i + 2, i + 1 + fields, 2 do
        redis.call('HSET', account, ARGV[field], ARGV[field + 1])
      end
      redis.call('HSET', account, 'in_flight', 0, 'revision', redis.call('INCR', key('revisions')))
      touch(id)
    end
    answer[#answer + 1] = id
    answer[#answer + 1] = made and 1 or 0
    answer[#answer + 1] = doc(id)
    i = i + 2 + fields
  end
  return answer
end

-- account, target*: its leases end when they are settled or expire.
function ops.drop()
  redis.call('DEL', key('account', ARGV[4]))
  redis.call('ZREM', key('changed'), ARGV[4])
  for i = 5, #ARGV do
    forget_read(ARGV[i])
  end
  return {now}
end

-- what was seen -> {now, birth, newest, (account, number, doc)*}, at most so many
function ops.changed()
  local birth = redis.call('GET', key('birth'))
  if not birth then
    birth = replica .. '-' .. text(now)
    redis.call('SET', key('birth'), birth)
  end
  local answer = {now, birth, number(redis.call('GET', key('changes'))) or 0}
  local rows = redis.call('ZRANGEBYSCORE', key('changed'), '(' .. ARGV[4], '+inf', 'WITHSCORES', 'LIMIT', 0, 200)
  for i = 1, #rows, 2 do
    answer[#answer + 1] = rows[i]
    answer[#answer + 1] = tonumber(rows[i + 1])
    answer[#answer + 1] = doc(rows[i])
  end
  return answer
end

-- The store has changed.
function ops.stored()
  tell('stored', '')
  return {now}
end
