-- Prepended to the scripts about exports, after the clock and the table of legal transitions.
local prefix, export = ARGV[1], ARGV[2]
local record = prefix .. 'x:' .. export

-- legal reports whether the state machine allows a transition.
local function legal(from, to)
  local targets = moves[from]
  return targets and string.find(targets, ' ' .. to .. ' ', 1, true) ~= nil
end

local function int(n) return string.format('%.0f', n) end

local function named(flat)
  local t = {}
  for i = 1, #flat, 2 do t[flat[i]] = flat[i + 1] end
  return t
end

local function fields(key) return named(redis.call('HGETALL', key)) end

local function count(name, by) redis.call('HINCRBY', prefix .. 'c', name, by) end

-- room_for returns how many more candidates a customer may have waiting. `most` is the limit ('0':
-- none). Dead letters count, since they keep their data.
local function room_for(most)
  if most == '0' then return math.huge end
  local moving = tonumber(redis.call('HGET', prefix .. 'c', 'live') or '0')
  return tonumber(most) - moving - redis.call('ZCARD', prefix .. 'dead')
end

-- cost adds an export's calls to its batch and to the average of its kind. The average is halved
-- now and then, so that recent exports weigh more.
local function cost(batch_key, kind, calls, ended)
  if calls ~= '0' then
    redis.call('HINCRBY', batch_key, 'calls', calls)
  end
  -- Tests do not represent the cost of exports.
  if redis.call('HGET', batch_key, 'test') then return end
  if calls ~= '0' then count('calls:' .. kind, calls) end
  if ended and redis.call('HINCRBY', prefix .. 'c', 'ended:' .. kind, 1) >= 1000 then
    for _, name in ipairs({'ended:', 'calls:'}) do
      local n = redis.call('HGET', prefix .. 'c', name .. kind) or '0'
      redis.call('HSET', prefix .. 'c', name .. kind, int(math.floor(tonumber(n) / 2)))
    end
  end
end

-- count_reason counts exports of a batch by counter and reason.
local function count_reason(batch_key, counter, reason, by)
  if reason == '' then return end
  local field = 'r:' .. counter .. ':' .. reason
  -- Below zero: exports that ended in an earlier version were not counted.
  if redis.call('HINCRBY', batch_key, field, by) <= 0 then redis.call('HDEL', batch_key, field) end
end

-- tally counts the end of an export for its batch; by = -1 undoes that.
local function tally(batch_key, counter, reason, by)
  redis.call('HINCRBY', batch_key, 'n:' .. counter, by)
  count_reason(batch_key, counter, reason, by)
end

-- marker_place returns the marker's key and field; keys.go computes the same.
local function marker_place(candidate)
  local digits = redis.sha1hex(candidate)
  return prefix .. 'm:' .. int(tonumber(string.sub(digits, 1, 3), 16) % 2048), string.sub(digits, 4, 19)
end

local function outcome_place(batch, id)
  return prefix .. 'b:' .. batch .. ':o:' .. string.sub(id, 1, 2)
end

-- sent_place returns the key of the digests of what exports sent on the day of `seconds`; sentKey
-- computes the same.
local function sent_place(seconds) return prefix .. 'sent:' .. int(math.floor(tonumber(seconds) / 86400)) end

-- due sets when the sweep looks at an export in progress. By then something must have happened to
-- it.
local function due(id, at) redis.call('ZADD', prefix .. 'due', int(at), id) end

-- begun lists an export that a worker has claimed, by the end of its lease, or that has started to
-- write and waits. It runs before exports that have not started.
local function begun(id, at) redis.call('ZADD', prefix .. 'begun', int(at), id) end

-- add_entry adds a sealed entry to the export's timeline, which keeps the last 20. iCIMS's
-- messages, the entry's prefix (see icims_messages.go), are stored separately.
local function add_entry(entry)
  if entry == '' then return end
  local function add(list, item)
    redis.call('LPUSH', list, item)
    redis.call('LTRIM', list, 0, 19)
  end
  local length = string.match(entry, '^w(%d%d%d%d%d%d%d%d)')
  if length then
    local rest = 10 + tonumber(length)
    add(prefix .. 'words:' .. export, string.sub(entry, 10, rest - 1))
    entry = string.sub(entry, rest)
  end
  add(prefix .. 's:' .. export, entry)
end

-- with_job adds a workflow to a list "job:workflow,...".
local function with_job(jobs, job, workflow)
  if workflow == '' then return jobs end
  local kept = {}
  for pair in string.gmatch(jobs, '[^,]+') do
    if string.match(pair, '^(%d+):') ~= job then kept[#kept + 1] = pair end
  end
  kept[#kept + 1] = job .. ':' .. workflow
  return table.concat(kept, ',')
end

-- know stores the person of an email for an hour, with the workflows recently created for that
-- person: iCIMS's search lags, and look-ups are cached. known_person.go describes the value and its
-- proofs.
local function know(hash, person, proof, job, workflow, workflow_proof)
  if hash == '' then return end
  local key = prefix .. 'k:' .. hash
  local p, entries = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
  if p ~= person then entries = '' end
  local kept = {'=' .. proof}
  for entry in string.gmatch(entries, '[^,]+') do
    local of = string.match(entry, '^(%d+)[:=]')
    if of and (workflow == '' or of ~= job) then kept[#kept + 1] = entry end
  end
  if workflow ~= '' then
    kept[#kept + 1] = job .. ':' .. workflow
    kept[#kept + 1] = job .. '=' .. workflow_proof
  end
  redis.call('SET', key, person .. '|' .. table.concat(kept, ','), 'EX', 3600)
end

local function release_lock(hash)
  local lock = prefix .. 'l:' .. hash
  if redis.call('GET', lock) == export then redis.call('DEL', lock) end
end

-- release_locks releases the locks of a claim: the email and the candidate.
local function release_locks(r)
  if r.eh ~= '' then release_lock(r.eh) end
  local _, field = marker_place(r.c)
  release_lock(field)
end

-- each_of_batch calls visit for every key that expires together with the batch's hash. Add new
-- kinds of batch keys here.
local function each_of_batch(key, visit)
  for _, part in ipairs({':r', ':s', ':refused', ':digests'}) do visit(key .. part) end
  local rows = redis.call('LLEN', key .. ':r')
  if rows < 500 then
    for _, id in ipairs(redis.call('LRANGE', key .. ':r', 0, -1)) do visit(key .. ':o:' .. string.sub(id, 1, 2)) end
  else
    local letters = 'abcdefghijklmnopqrstuvwxyz234567'
    for a in string.gmatch(letters, '.') do
      for b in string.gmatch(letters, '.') do visit(key .. ':o:' .. a .. b) end
    end
  end
  for _, id in ipairs(redis.call('SMEMBERS', key .. ':s')) do visit(prefix .. 's:' .. id) end
end

-- compare_rows compares rows with those of earlier submissions. `digests` holds 8 bytes for each
-- row after the first `before`. It returns the batch's number of rows, and the reply if rows
-- differ.
local digest_size = 8
local function compare_rows(batch_key, before, digests)
  local rows = redis.call('STRLEN', batch_key .. ':digests') / digest_size
  -- Redis lost rows of this submission.
  if before > rows then return rows, {'lost'} end
  local known = redis.call('GETRANGE', batch_key .. ':digests', before * digest_size, before * digest_size + #digests - 1)
  if known ~= string.sub(digests, 1, #known) then
    for at = 1, #known, digest_size do
      if string.sub(known, at, at + 7) ~= string.sub(digests, at, at + 7) then
        return rows, {'conflict', 'row', int(before + (at + 7) / digest_size)}
      end
    end
  end
  local complete = redis.call('HGET', batch_key, 'complete')
  if complete and before + #digests / digest_size > tonumber(complete) then return rows, {'conflict', 'more', complete} end
  return rows
end

-- expire_batch makes a batch and all its keys expire after a time (s).
local function expire_batch(key, retention)
  each_of_batch(key, function(k) redis.call('EXPIRE', k, retention) end)
  redis.call('EXPIRE', key, retention)
end

-- keep_batch cancels the expiry of a batch and all its keys.
local function keep_batch(key)
  if redis.call('PERSIST', key) == 1 then
    each_of_batch(key, function(k) redis.call('PERSIST', k) end)
  end
end

-- write_outcome writes the outcome of an export.
local function write_outcome(batch, id, line)
  local place = outcome_place(batch, id)
  redis.call('HSET', place, id, line)
  redis.call('PERSIST', place) -- earlier versions set an expiry on single outcomes
end

-- keep_timeline makes the timeline of a finished export expire with its batch, and deletes iCIMS's
-- messages, which may repeat what was sent.
local function keep_timeline(batch)
  redis.call('UNLINK', prefix .. 'words:' .. export)
  local timeline = prefix .. 's:' .. export
  if redis.call('EXISTS', timeline) == 1 then redis.call('SADD', prefix .. 'b:' .. batch .. ':s', export) end
end

-- end_batch ends a closed batch without exports in progress. The batch then expires, unless it has
-- dead exports.
local function end_batch(key, t, retention)
  local b = redis.call('HMGET', key, 'closed', 'accepted', 'n:dead', 'n:created', 'n:updated', 'n:skipped', 'n:cancelled')
  local ended = 0
  for i = 3, 7 do ended = ended + tonumber(b[i] or '0') end
  if not b[1] or ended < tonumber(b[2] or '0') then return end
  redis.call('HSETNX', key, 'ended', int(t))
  if tonumber(b[3] or '0') == 0 then expire_batch(key, retention) end
end

-- epoch_of returns the epoch of the customer's keys and the number of claims in it. An epoch is the
-- time from which records may be created in iCIMS; a new one starts when Redis lost writes or may
-- have. `known` is what the process has seen: epoch:claims:fleet epoch:fleet server.
local function epoch_of(t, known, settle)
  local c = redis.call('HMGET', prefix .. 'c', 'creates_from', 'claims', 'server')
  local stored, claims, id = tonumber(c[1] or '0'), tonumber(c[2] or '0'), server()
  local e, n, fleet, fleet_server = string.match(known, '^(%d+):(%d+):(%d+):(.*)$')
  e, n = tonumber(e), tonumber(n)
  local epoch = stored
  if e > stored or (e == stored and n > claims) or (id ~= '' and (c[3] or '') ~= '' and id ~= c[3] and id ~= fleet_server) then
    epoch = math.max(t + settle, e + 1, stored + 1)
  end
  epoch = math.max(epoch, tonumber(fleet))
  if epoch ~= stored or (id ~= '' and id ~= c[3]) then
    redis.call('HSET', prefix .. 'c', 'creates_from', int(epoch), 'server', id ~= '' and id or c[3] or '')
  end
  return epoch, claims
end

-- went_back reports whether Redis lost writes since an epoch, or may have.
local function went_back(epoch)
  local c, id = redis.call('HMGET', prefix .. 'c', 'creates_from', 'server'), server()
  return tonumber(c[1] or '0') ~= tonumber(epoch) or (id ~= '' and c[2] and c[2] ~= '' and c[2] ~= id)
end

local job_missing = 'job_not_found'

-- note_profile counts a person created by an export to a job and left without a workflow. by = -1
-- if the person got one, or another export continues with the person.
local function note_profile(batch_key, r, by)
  if r.pm ~= 'c' or string.sub(redis.call('HGET', batch_key, 't') or '', 1, 1) ~= 'j' then return end
  if redis.call('HINCRBY', batch_key, 'profiles_without_workflow', by) <= 0 then
    redis.call('HDEL', batch_key, 'profiles_without_workflow')
  end
end

-- enter_dead adds an export to the lists of dead letters; leave_dead removes it.
local function enter_dead(id, r, reason, at)
  redis.call('ZADD', prefix .. 'dead', int(at), id)
  if reason ~= job_missing then return end
  local _, field = marker_place(r.c)
  local letters = redis.call('HGET', prefix .. 'wrong_job', field)
  redis.call('HSET', prefix .. 'wrong_job', field, letters and letters .. ',' .. id or id)
end

local function leave_dead(id, r)
  redis.call('ZREM', prefix .. 'dead', id)
  if r.rs ~= job_missing then return end
  local _, field = marker_place(r.c)
  local kept = {}
  for other in string.gmatch(redis.call('HGET', prefix .. 'wrong_job', field) or '', '[^,]+') do
    if other ~= id then kept[#kept + 1] = other end
  end
  if #kept == 0 then
    redis.call('HDEL', prefix .. 'wrong_job', field)
  else
    redis.call('HSET', prefix .. 'wrong_job', field, table.concat(kept, ','))
  end
end

-- job_of returns the job of a batch's target; nil for prospects.
local function job_of(target) return string.match(target or '', '^j(%d+)$') end

-- forget_missing_job forgets that a job was missing: it may exist now.
local function forget_missing_job(target)
  local job = job_of(target)
  local key = job and prefix .. 'job:' .. job
  if key and redis.call('GET', key) == 'missing' then redis.call('DEL', key) end
end

-- refuse returns the reply to an illegal transition and counts it. It is a bug, unless Redis lost
-- an earlier transition.
local function refuse(state)
  local c, id = redis.call('HMGET', prefix .. 'c', 'creates_from', 'server'), server()
  if tonumber(c[1] or '0') > now() or (id ~= '' and (c[2] or '') ~= '' and c[2] ~= id) then return {'went_back'} end
  count('illegal', 1)
  return {'illegal', state}
end

-- answer_early returns the reply if a worker with `token` may not change the record's state to
-- `to`, or has already done so: the client repeats a script if the reply was lost.
local function answer_early(r, token, to)
  if not r.st then return {'gone'} end
  if r.tk ~= token then return {'stale'} end
  if r.st == to then return {'ok'} end
  if not legal(r.st, to) then return refuse(r.st) end
  return nil
end
