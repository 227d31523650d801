-- Leases: units reserved, spent, given back.

-- The account a conversation is bound to, or an empty text.
local function bound_to(conversation)
  local id, at = string.match(redis.call('GET', key('bound', conversation)) or '', '^(%S+) (%d+)$')
  return id and tonumber(at) + $BOUND_MS > now and id or ''
end

local function bind(conversation, id)
  redis.call('SET', key('bound', conversation), id .. ' ' .. text(now), 'PX', $BOUND_MS)
end

-- Takes a slot and units, unless the account is not as the caller has seen it, or somebody was faster.
-- Returns which of the accounts that ever had this id it is.
local function claim(id, revision, class, cost, limit)
  local account, window = key('account', id), 'w:' .. class .. ':'
  local at = redis.call('HMGET', account, 'revision', 'in_flight', window .. 'remaining', window .. 'reserved', 'made')
  if at[1] ~= revision or number(at[2]) >= limit then
    return nil
  end
  local remaining = number(at[3])
  if remaining and remaining - (number(at[4]) or 0) < cost then
    return nil
  end
  redis.call('HINCRBY', account, 'in_flight', 1)
  redis.call('HINCRBY', account, window .. 'reserved', cost)
  redis.call('HSET', account, 'last_used_at', text(now))
  return at[5]
end

-- Takes units for good, as `Window::spend` does.
local function spend(id, class, units)
  local account, window = key('account', id), 'w:' .. class .. ':'
  local at = redis.call('HMGET', account, window .. 'remaining', window .. 'total', window .. 'length',
    window .. 'reset', window .. 'recheck')
  redis.call('HINCRBY', account, window .. 'spent', units)
  local remaining = number(at[1])
  if not remaining then
    return
  end
  remaining = math.max(0, remaining - units)
  redis.call('HSET', account, window .. 'remaining', text(remaining))
  if (number(at[4]) or 0) == 0 and (number(at[3]) or 0) > 0 then
    redis.call('HSET', account, window .. 'reset', text(now + number(at[3])))
  end
  if remaining < math.min($LOW_UNITS, number(at[2]) or $LOW_UNITS) and (number(at[5]) or 0) == 0 then
    redis.call('HSET', account, window .. 'recheck', text(now + $RECHECK_MS))
  end
end

-- What a lease was; nothing when it never was, or its account has gone, or come again as another.
local function held_by(lease)
  local held = redis.call('HMGET', key('lease', lease), 'account', 'class', 'cost', 'began_at', 'about', 'made')
  local made = held[1] and redis.call('HGET', key('account', held[1]), 'made')
  return made and made == held[6] and held or nil
end

-- Takes a lease away and its units with it; `spent` is empty, 'reserved' or a number. Returns what it was. It is
-- remembered for a while, since the answer may be lost.
local function finish(lease, spent)
  local held = held_by(lease)
  redis.call('ZREM', key('expiries'), lease)
  redis.call('HSET', key('lease', lease), 'ended', 1)
  redis.call('PEXPIRE', key('lease', lease), $ENDED_MS)
  if not held then
    return nil
  end
  local id, class, cost = held[1], held[2], tonumber(held[3])
  local account, window = key('account', id), 'w:' .. class .. ':'
  local at = redis.call('HMGET', account, 'in_flight', window .. 'reserved')
  redis.call('HSET', account, 'in_flight', math.max(0, (number(at[1]) or 0) - 1))
  redis.call('HSET', account, window .. 'reserved', math.max(0, (number(at[2]) or 0) - cost))
  if spent == 'reserved' then
    spend(id, class, cost)
  elseif spent ~= '' then
    spend(id, class, tonumber(spent))
  end
  at = redis.call('HMGET', account, window .. 'remaining', window .. 'reserved', window .. 'doubtful')
  if not number(at[1]) or (at[3] == '1' and at[2] == '0') then
    want(id .. '/' .. class, $USED)
  end
  touch(id)
  return held
end

-- Whoever held them is gone and may well have used them: the units stay spent. Returns whose they were.
local function expire(most)
  local ended = {}
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', key('expiries'), '-inf', text(now), 'LIMIT', 0, most)) do
    local held = finish(lease, 'reserved')
    if held then
      tell('settled', held[1], held[2], '0')
      ended[#ended + 1] = held[1]
      ended[#ended + 1] = held[2]
    end
  end
  return ended
end

-- -> {now, account, class, ...}
function ops.expire()
  local ended = expire(100)
  table.insert(ended, 1, now)
  return ended
end

-- lease, owner, class, cost, limit, name, about, conversation, bound, follow, bind, (account, revision)*
-- -> {now, 'leased', account, doc} | {now, 'bound', account} | {now, 'none', (account, doc)*}
function ops.lease()
  local lease, owner, class, cost, limit = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
  local conversation = ARGV[11]
  if ARGV[13] == '1' then
    local bound = bound_to(conversation)
    if bound ~= ARGV[12] then
      return {now, 'bound', bound}
    end
  end
  local answer = {now, 'none'}
  for i = 15, #ARGV, 2 do
    local id = ARGV[i]
    local made = claim(id, ARGV[i + 1], class, cost, limit)
    if made then
      if ARGV[9] ~= '' then
        redis.call('HSET', key('account', id), 'w:' .. class .. ':name', ARGV[9])
      end
      local expires = text(now + $LEASE_MS)
      redis.call('HSET', key('lease', lease), 'account', id, 'class', class, 'cost', cost, 'owner', owner,
        'began_at', text(now), 'expires_at', expires, 'about', ARGV[10], 'made', made)
      redis.call('ZADD', key('expiries'), expires, lease)
      if ARGV[14] == '1' then
        bind(conversation, id)
      end
      touch(id)
      tell('leased', id, class)
      return {now, 'leased', id, doc(id)}
    end
    answer[#answer + 1] = id
    answer[#answer + 1] = doc(id)
  end
  return answer
end

-- lease, spent, outcome, '1' when an answer was lost
-- -> {now, 'settled' or 'expired', account, class, began_at, about, doc} | {now}
function ops.settle()
  local lease = ARGV[4]
  local at = redis.call('HMGET', key('lease', lease), 'expires_at', 'ended')
  if not at[1] or (at[2] and ARGV[7] ~= '1') then
    return {now}
  end
  local expired = number(at[1]) <= now
  local held
  if at[2] then
    held = held_by(lease)
  else
    held = finish(lease, expired and 'reserved' or ARGV[5])
  end
  if not held then
    return {now}
  end
  if not at[2] then
    tell('settled', held[1], held[2], expired and '0' or ARGV[6])
  end
  return {now, expired and 'expired' or 'settled', held[1], held[2], held[4], held[5], doc(held[1])}
end

-- owner, lease* -> {now, lost*}
function ops.renew()
  local answer = {now}
  for i = 5, #ARGV do
    local entry = key('lease', ARGV[i])
    local held = redis.call('HMGET', entry, 'owner', 'expires_at', 'ended')
    if held[1] == ARGV[4] and number(held[2]) > now and not held[3] then
      local expires = text(now + $LEASE_MS)
      redis.call('HSET', entry, 'expires_at', expires)
      redis.call('ZADD', key('expiries'), expires, ARGV[i])
    else
      answer[#answer + 1] = ARGV[i]
    end
  end
  return answer
end

-- conversation -> {now, account or ''}
function ops.bound()
  return {now, bound_to(ARGV[4])}
end
