-- Claims an export for one worker.
-- KEYS[1]: record. ARGV: prefix, export, lease ms, settle ms, worker, request, claim despite a pause
-- 0|1, what the process has seen of Redis (epoch:claims:fleet epoch:fleet server).
-- Returns {'gone'} | {'ended', state, epoch:claims} | {'held', ms, epoch:claims} |
-- {'paused', ms or 0, epoch:claims} | {'unsettled', ms, epoch:claims} | {'locked', ms, epoch:claims} |
-- {'went_back', ms, epoch:claims} |
-- {'ok', token, record before the claim, payload, batch, marker, known, ms since its first failure,
-- epoch:claims, known state of the job, dead letters of a wrong job}.
local key, t = KEYS[1], now()
local flat = redis.call('HGETALL', key)
local r = named(flat)
if not r.st then return {'gone'} end

-- A pause applies to all claims from the moment it is recorded.
local paused
if ARGV[7] ~= '1' then
  local till = tonumber(redis.call('HGET', prefix .. 'pause', 'until') or '-1')
  if till == 0 then
    paused = {'paused', '0'}
  elseif till > t then
    paused = {'paused', int(till - t)}
  end
end

-- A request is repeated if its reply was lost. It gets the same reply again; otherwise the export
-- would wait until its lease expires.
local again = r.rq == ARGV[6] and r.st == 'claimed' and tonumber(r.le) > t

local batch_key = prefix .. 'b:' .. r.b
local batch = redis.call('HMGET', batch_key, 't', 'o', 'tp')
local include = batch[2] and string.find(batch[2], 'i', 1, true)
local marker_key, marker_field = marker_place(r.c)

local epoch, claims = epoch_of(t, ARGV[8], tonumber(ARGV[4]))
local function seen() return int(epoch) .. ':' .. int(claims) end

-- take returns why the export cannot be claimed, or takes its locks.
local function take()
  if not legal(r.st, 'claimed') then return {'ended', r.st} end
  if tonumber(r.le or '0') > t then return {'held', int(tonumber(r.le) - t)} end
  if paused then return paused end

  -- Redis may have lost the record of a created person.
  if epoch > t then
    due(export, epoch)
    return {'went_back', int(epoch - t)}
  end

  -- A write without a recorded response may still take effect: wait until it has settled.
  if r['in'] then
    local settled = tonumber(r.ia) + tonumber(ARGV[4])
    if settled > t then
      -- The worker that started the write loses the export: its late report would be about a write
      -- that is already being resolved.
      if r.st ~= 'unknown' then redis.call('HINCRBY', key, 'tk', 1) end
      redis.call('HSET', key, 'st', 'unknown', 'le', '0', 'due', int(settled))
      due(export, settled)
      begun(export, settled)
      return {'unsettled', int(settled - t)}
    end
  end

  -- Only one export at a time may work on an email, and on a candidate to be skipped once exported.
  -- A holder without a lease and an open intent counts as dead. It loses the lock and its claim,
  -- since its worker may only have been frozen.
  local locks, losers = {}, {}
  if r.eh ~= '' then locks[1] = prefix .. 'l:' .. r.eh end
  if not include then locks[#locks + 1] = prefix .. 'l:' .. marker_field end
  for _, lock in ipairs(locks) do
    local owner = redis.call('GET', lock)
    if owner and owner ~= export then
      local o = redis.call('HMGET', prefix .. 'x:' .. owner, 'st', 'le', 'in', 'due')
      if o[1] and o[1] ~= 'dead' and ((o[2] and tonumber(o[2]) > t) or o[3]) then
        local wait = o[1] == 'unknown' and o[4] and tonumber(o[4]) - t or 0
        due(export, t + math.max(wait, 2000))
        return {'locked', int(wait)}
      end
      if o[1] == 'claimed' or o[1] == 'created' then losers[owner] = true end
    end
  end
  for owner in pairs(losers) do redis.call('HINCRBY', prefix .. 'x:' .. owner, 'tk', 1) end
  for _, lock in ipairs(locks) do redis.call('SET', lock, export, 'EX', 604800) end
  return nil
end
local refusal = not again and take()
if refusal then
  refusal[3] = seen() -- what the process knows reveals a later loss
  return refusal
end

local marker = redis.call('HGET', marker_key, marker_field) or ''
local job = job_of(batch[1])
local job_state = job and redis.call('GET', prefix .. 'job:' .. job) or ''
local letters = job and redis.call('HGET', prefix .. 'wrong_job', marker_field) or ''
local known = r.eh ~= '' and redis.call('GET', prefix .. 'k:' .. r.eh) or ''

local token = r.tk
if not again then
  local lease = t + tonumber(ARGV[3])
  -- The token stays unique even if Redis lost earlier claims.
  token = int(math.max(tonumber(r.tk or '0') + 1, t))
  claims = redis.call('HINCRBY', prefix .. 'c', 'claims', 1)
  redis.call('HSET', key, 'st', 'claimed', 'le', int(lease), 'tk', token, 'wk', ARGV[5], 'rq', ARGV[6])
  -- When markers were last erased: see finish.lua.
  local erased = redis.call('HGET', prefix .. 'c', 'erased')
  if erased then redis.call('HSET', key, 'er', erased) end
  due(export, lease)
  begun(export, lease)
end
return {'ok', token, flat, redis.call('GET', prefix .. 'p:' .. export) or '',
  {batch[1] or '', batch[2] or '', batch[3] or nil}, marker, known,
  r.fa and int(t - tonumber(r.fa)) or '', seen(), job_state, letters}
