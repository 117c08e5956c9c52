-- Gives an export to one worker: the task's own, or where the task is a turn the
-- one whose turn it is. KEYS[1] record of the task's export.
-- ARGV: prefix, export, lease ms, settle ms, by turns 0|1, generation of the task,
-- worker, neighbours wanted, request, in spite of a pause 0|1, what the process has seen
-- of Redis (epoch:claims:epoch of the fleet:server of the fleet), epoch of what follows;
-- then for each batch that the caller has looked ahead in: batch, first row, what it
-- knows of the rows from there on (n nobody has the e-mail, k no look-up is needed,
-- - nothing), neighbours wanted there.
-- Returns {'gone'} | {'ended', state} | {'held', ms} | {'paused', ms or 0} |
-- {'unsettled', ms, task} | {'locked', ms, task} | {'went_back', ms, epoch:claims, task} |
-- {'ok', token, state, record as it was, payload, batch, marker, known, row of the first
-- neighbour, neighbours, ms since its first failure, epoch:claims, what is known of the
-- job, dead letters of a wrong job, task}. The task is {},
-- or export and generation of the one to put in where the export is to come back.
local key, t, by_turns, task = KEYS[1], now(), ARGV[5] == '1', {}

-- A pause lets nothing begin, from the moment it is recorded. It changes nothing else:
-- no turn is taken, and the task comes back as it is.
local paused
if ARGV[10] ~= '1' then
  local till = tonumber(redis.call('HGET', prefix .. 'pause', 'until') or '-1')
  if till == 0 then
    paused = {'paused', '0'}
  elseif till > t then
    paused = {'paused', int(till - t)}
  end
end

local flat = redis.call('HGETALL', key)
local r = named(flat)

-- A task is a turn while its own export waits like all others of its batch, and
-- where another turn has served its own. An export that was begun has a task of a
-- later generation, which is for that one alone.
local generation = r.g or '0'
-- A request that comes again, since its answer was lost, is given what it was given
-- before: otherwise that would wait until its lease has ended.
local function given(o)
  return o.rq == ARGV[9] and (o.st == 'claimed' or o.st == 'creating') and tonumber(o.le) > t
end
local again, turn = given(r), nil
if by_turns and not again then
  local waits = r.st == 'queued' and generation == '0'
  if waits or not r.st or tonumber(ARGV[6]) < tonumber(generation) then
    turn = prefix .. 't:' .. export
    local id, found
    if not waits or r.u then
      id = redis.call('GET', turn)
      found = id and redis.call('HGETALL', prefix .. 'x:' .. id)
      again = found and given(named(found))
    end
    if not again and paused then return paused end
    if not again then id, found = next_turn(t, waits and { b = r.b, r = r.r, flat = flat }) end
    if id and not (waits and id == export) then
      -- The reconciler is not to take it for one whose worker has died.
      if waits and not r.u then redis.call('HSET', key, 'u', '1') end
      export, key, flat, r = id, prefix .. 'x:' .. id, found, named(found)
      generation = again and r.g or int(tonumber(r.g or '0') + 1)
      task = {id, generation}
    elseif not id and not waits then
      return found and {'held', '0'} or {'gone'}
    end
  end
end

-- come_back gives the export a task of its own where the task was a turn.
local function come_back(at)
  if not by_turns then return end
  if not task[1] then task = {export, int(tonumber(generation) + 1)} end
  redis.call('HSET', key, 'g', task[2])
  put_back(export, at)
end

if not r.st then return {'gone'} end
local batch_key = prefix .. 'b:' .. r.b
local batch = redis.call('HMGET', batch_key, 't', 'o', 'tp')
local include = batch[2] and string.find(batch[2], 'i', 1, true)
local marker_key, marker_field = marker_place(r.c)

local epoch, claims = epoch_of(t, ARGV[11], tonumber(ARGV[4]))
local function seen() return int(epoch) .. ':' .. int(claims) end

-- take returns why the export is not to be worked on, or takes its locks.
local function take()
  if not legal(r.st, 'claimed') then return {'ended', r.st} end
  if tonumber(r.le or '0') > t then return {'held', int(tonumber(r.le) - t)} end
  if paused then return paused end

  -- Somebody may have been created whose record Redis has lost.
  if epoch > t then
    due(export, epoch)
    come_back(epoch)
    return {'went_back', int(epoch - t), seen(), task}
  end

  -- A write whose answer was never recorded may still take effect: wait until it
  -- surely has or has not.
  if r['in'] then
    local settled = tonumber(r.ia) + tonumber(ARGV[4])
    if settled > t then
      -- Whoever began the write has lost the export: its late word would be about a
      -- write that is looked into already.
      if r.st ~= 'unknown' then redis.call('HINCRBY', key, 'tk', 1) end
      redis.call('HSET', key, 'st', 'unknown', 'le', '0', 'due', int(settled))
      due(export, settled)
      come_back(settled)
      return {'unsettled', int(settled - t), task}
    end
  end

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
        local wait = o[1] == 'unknown' and o[4] and tonumber(o[4]) - t or 0
        if by_turns then
          -- An export takes a few seconds, one whose write is unknown maybe long.
          wait = math.min(math.max(wait, 2000), 60000)
          due(export, t + wait)
          come_back(t + wait)
        end
        return {'locked', int(wait), task}
      end
      if o[1] == 'claimed' or o[1] == 'created' then losers[owner] = true end
    end
  end
  for owner in pairs(losers) do redis.call('HINCRBY', prefix .. 'x:' .. owner, 'tk', 1) end
  for _, lock in ipairs(locks) do redis.call('SET', lock, export, 'EX', 604800) end
  return nil
end
local refusal = not again and take()
if refusal then return refusal end

local marker = redis.call('HGET', marker_key, marker_field) or ''
local job = job_of(batch[1])
local job_state = job and redis.call('GET', prefix .. 'job:' .. job) or ''
local letters = job and redis.call('HGET', prefix .. 'wrong_job', marker_field) or ''
local known = r.eh ~= '' and redis.call('GET', prefix .. 'k:' .. r.eh) or ''

-- What the caller knows of the row, and which neighbours it wants to look up.
local row, ahead = tonumber(r.r), ''
local from, wanted = row + 1, tonumber(ARGV[8])
for i = 13, #ARGV, 4 do
  -- What was found before Redis went back counts no more.
  if ARGV[i] == r.b and tonumber(ARGV[12]) == epoch then
    local at = row - tonumber(ARGV[i + 1]) + 1
    if at >= 1 then ahead = string.sub(ARGV[i + 2], at, at) end
    if at <= #ARGV[i + 2] then from, wanted = row - at + 1 + #ARGV[i + 2], tonumber(ARGV[i + 3]) end
  end
end

local token, state = r.tk, r.st
if not again then
  local lease = t + tonumber(ARGV[3])
  -- A Redis that went back gives no token a second time.
  token, state = int(math.max(tonumber(r.tk or '0') + 1, t)), 'claimed'
  claims = redis.call('HINCRBY', prefix .. 'c', 'claims', 1)
  local write = {'HSET', key, 'st', state, 'le', int(lease), 'tk', token, 'wk', ARGV[7], 'rq', ARGV[9]}
  -- A look-up has just found nobody: where nothing here says otherwise, the intent to
  -- create is recorded in the same round trip.
  if ahead == 'n' and not r['in'] and not r.pe and known == '' and (marker == '' or include) then
    state = 'creating'
    write[4] = state
    write[13], write[14], write[15], write[16] = 'in', 'p', 'ia', int(t)
  end
  -- When markers were erased last: see finish.
  local erased = redis.call('HGET', prefix .. 'c', 'erased')
  if erased then
    write[#write + 1], write[#write + 2] = 'er', erased
  end
  if task[1] then
    write[#write + 1], write[#write + 2] = 'g', generation
    redis.call('SET', turn, export, 'PX', ARGV[3])
  end
  redis.call(unpack(write))
  due(export, lease)
  if r.g or r.st ~= 'queued' then redis.call('ZREM', prefix .. 'back', export) end
elseif state == 'creating' then
  flat[#flat + 1], flat[#flat + 2] = 'in', '' -- that is the intent of this claim
end

-- Neighbours that will come up soon, so that one call can look all of them up.
-- Those that need no look-up are named without their data.
local neighbours = {}
if wanted > 0 then
  for _, id in ipairs(redis.call('LRANGE', batch_key .. ':r', from, from + wanted - 1)) do
    local n = redis.call('HMGET', prefix .. 'x:' .. id, 'st', 'eh', 'pe', 'in', 'c')
    local hash, payload = '', ''
    if (n[1] == 'queued' or n[1] == 'deferred' or n[1] == 'retrying') and not n[3] and not n[4] then
      local bucket, field = marker_place(n[5])
      if include or redis.call('HEXISTS', bucket, field) == 0 then
        hash, payload = n[2], redis.call('GET', prefix .. 'p:' .. id) or ''
      end
    end
    local at = #neighbours
    neighbours[at + 1], neighbours[at + 2], neighbours[at + 3] = id, hash, payload
  end
end
return {'ok', token, state, flat, redis.call('GET', prefix .. 'p:' .. export) or '',
  {batch[1] or '', batch[2] or '', batch[3] or nil}, marker, known, int(from), neighbours,
  r.fa and int(t - tonumber(r.fa)) or '', seen(), job_state, letters, task}
