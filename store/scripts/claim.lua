-- Gives an export to one worker. KEYS[1] record.
-- ARGV: prefix, export, lease ms, settle ms, speculate 0|1, neighbours wanted,
-- neighbours to skip, worker.
-- Returns {'gone'} | {'ended', state} | {'held', ms} | {'unsettled', ms} |
-- {'locked', ms} | {'ok', token, record, payload, batch, marker, known, neighbours}.
local r = fields(KEYS[1])
if not r.st then return {'gone'} end
if not legal(r.st, 'claimed') then return {'ended', r.st} end
local t = now()
if tonumber(r.le or '0') > t then return {'held', int(tonumber(r.le) - t)} end

-- A write whose answer was never recorded may still take effect: wait until it
-- surely has or has not.
if r['in'] then
  local settled = tonumber(r.ia) + tonumber(ARGV[4])
  if settled > t then
    -- Whoever began the write has lost the export: its late word would be about a
    -- write that is looked into already.
    if r.st ~= 'unknown' then redis.call('HINCRBY', KEYS[1], 'tk', 1) end
    redis.call('HSET', KEYS[1], 'st', 'unknown', 'le', '0', 'due', int(settled))
    due(export, settled)
    return {'unsettled', int(settled - t)}
  end
end

local batch_key = prefix .. 'b:' .. r.b
local batch = redis.call('HMGET', batch_key, 't', 'o')
local include = batch[2] and string.find(batch[2], 'i', 1, true)
local marker_key, marker_field = marker_place(r.c)

-- One export at a time works on an e-mail, and on a candidate who is to be
-- skipped once exported. A holder that has neither a lease nor an open intent
-- counts as dead and loses the lock; and with it its claim, since its worker may
-- only have been frozen.
local locks, losers = {}, {}
if r.eh ~= '' then locks[1] = prefix .. 'l:' .. r.eh end
if not include then locks[#locks + 1] = prefix .. 'l:' .. marker_field end
for _, lock in ipairs(locks) do
  local owner = redis.call('GET', lock)
  if owner and owner ~= export then
    local o = redis.call('HMGET', prefix .. 'x:' .. owner, 'st', 'le', 'in', 'due')
    if o[1] and o[1] ~= 'dead' and ((o[2] and tonumber(o[2]) > t) or o[3]) then
      return {'locked', o[1] == 'unknown' and o[4] and int(tonumber(o[4]) - t) or '0'}
    end
    if o[1] == 'claimed' or o[1] == 'created' then losers[owner] = true end
  end
end
for owner in pairs(losers) do redis.call('HINCRBY', prefix .. 'x:' .. owner, 'tk', 1) end
for _, lock in ipairs(locks) do redis.call('SET', lock, export, 'EX', 604800) end

local marker = redis.call('HGET', marker_key, marker_field) or ''
local known = r.eh ~= '' and redis.call('GET', prefix .. 'k:' .. r.eh) or ''

local state = 'claimed'
-- The caller has just looked the e-mail up and found nobody: where nothing here
-- says otherwise, the intent to create is recorded in the same round trip.
if ARGV[5] == '1' and not r['in'] and not r.pe and known == '' and (marker == '' or include) then
  state = 'creating'
  redis.call('HSET', KEYS[1], 'in', 'p', 'ia', int(t))
end
local token = redis.call('HINCRBY', KEYS[1], 'tk', 1)
redis.call('HSET', KEYS[1], 'st', state, 'le', int(t + tonumber(ARGV[3])), 'wk', ARGV[8])
due(export, t + tonumber(ARGV[3]))

-- Neighbours that will come up soon, so that one call can look all of them up.
-- Those that need no look-up are named without their data.
local neighbours, wanted = {}, tonumber(ARGV[6])
if wanted > 0 then
  local from = tonumber(r.r) + 1 + tonumber(ARGV[7])
  for _, id in ipairs(redis.call('LRANGE', batch_key .. ':r', from, from + wanted - 1)) do
    local n = redis.call('HMGET', prefix .. 'x:' .. id, 'st', 'eh', 'pe', 'in', 'c')
    local hash, payload = '', ''
    if (n[1] == 'queued' or n[1] == 'deferred' or n[1] == 'retrying') and not n[3] and not n[4] then
      local key, field = marker_place(n[5])
      if include or redis.call('HEXISTS', key, field) == 0 then
        hash, payload = n[2], redis.call('GET', prefix .. 'p:' .. id) or ''
      end
    end
    local at = #neighbours
    neighbours[at + 1], neighbours[at + 2], neighbours[at + 3] = id, hash, payload
  end
end
return {'ok', int(token), redis.call('HGETALL', KEYS[1]), redis.call('GET', prefix .. 'p:' .. export) or '',
  {batch[1] or '', batch[2] or ''}, marker, known, neighbours}
