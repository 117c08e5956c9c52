-- Ends an export: outcome, marker, counts and purge. KEYS[1]: record. ARGV: prefix, export, token,
-- to, counter, reason, person, workflow, job, warnings, retention s, timeline entry or '', kind of
-- export, its calls, ms for which the job is known to exist, digests of what was sent or '', number
-- of exports per day to keep them for, proofs of the person for the email and of the workflow; then
-- the dead letters that a workflow settles: export, timeline entry.
local r = fields(KEYS[1])
local to, counter, reason = ARGV[4], ARGV[5], ARGV[6]
local person, workflow, job = ARGV[7], ARGV[8], ARGV[9]
local early = answer_early(r, ARGV[3], to)
if early then return early end
local t = now()
local seconds = int(math.floor(t / 1000))

if to == 'done' then
  know(r.eh, person, ARGV[18], job, workflow, ARGV[19])
end
local erased = to == 'done' and redis.call('HGET', prefix .. 'c', 'erased')
if erased and erased ~= r.er then
  -- Markers were erased while this export was in progress, so it leaves none. An audit expects
  -- markers only of exports that ended after this time.
  redis.call('HSET', prefix .. 'c', 'unmarked', int(t))
elseif to == 'done' then
  local key, field = marker_place(r.c)
  local jobs = ''
  local old = redis.call('HGET', key, field)
  if old then
    local p, _, j = string.match(old, '^(%d*)|(%d*)|([^|]*)')
    if p == person then jobs = j end
  end
  -- The parts of the person's history that iCIMS did not accept, from the warnings.
  local owed = {}
  for _, part in ipairs({'education', 'work_experience'}) do
    if string.find(ARGV[10], part .. '_owed', 1, true) then owed[#owed + 1] = part end
  end
  local mark = person .. '|' .. seconds .. '|' .. with_job(jobs, job, workflow)
  if #owed > 0 then mark = mark .. '|' .. table.concat(owed, ',') end
  redis.call('HSET', key, field, mark)
end

local batch_key = prefix .. 'b:' .. r.b
write_outcome(r.b, export,
  to .. '|' .. counter .. '|' .. reason .. '|' .. person .. '|' .. workflow .. '|' .. seconds .. '|' .. ARGV[10] .. '|' .. r.c)
if to == 'dead' then
  redis.call('HSET', KEYS[1], 'st', 'dead', 'le', '0', 'rs', reason, 'da', int(t))
  enter_dead(export, r, reason, t)
  note_profile(batch_key, r, 1)
  if ARGV[10] ~= '' then redis.call('HSET', KEYS[1], 'wa', ARGV[10]) end
  -- iCIMS rejected the write, so it did not take effect.
  if r.st == 'creating' or r.st == 'placing' then redis.call('HDEL', KEYS[1], 'in', 'ia') end
else
  redis.call('DEL', KEYS[1], prefix .. 'p:' .. export)
end
add_entry(ARGV[12])
if to ~= 'dead' then keep_timeline(r.b) end
redis.call('ZREM', prefix .. 'due', export)
redis.call('ZREM', prefix .. 'begun', export)
release_locks(r)
count('live', -1)

if ARGV[16] ~= '' and redis.call('HGET', batch_key, 'test') ~= '1' then
  local key = sent_place(seconds)
  redis.call('LPUSH', key, table.concat({export, person, workflow, seconds, ARGV[16]}, '|'))
  redis.call('LTRIM', key, 0, tonumber(ARGV[17]) - 1)
  -- The list expires with its first entry, so that no entry outlives its batch.
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, ARGV[11]) end
end

tally(batch_key, counter, reason, 1)
cost(batch_key, ARGV[13], ARGV[14], to ~= 'skipped')
end_batch(batch_key, t, ARGV[11])

-- The job exists. Dead letters of the candidate for a wrong job, older than this export, are
-- settled.
if to == 'done' and workflow ~= '' then
  redis.call('SET', prefix .. 'job:' .. job, 'there', 'PX', ARGV[15])
  for i = 20, #ARGV, 2 do
    local id = ARGV[i]
    local o = fields(prefix .. 'x:' .. id)
    if o.st == 'dead' and o.rs == job_missing and not o['in'] and o.c == r.c and tonumber(o.da) < tonumber(r.q) then
      local old_key = prefix .. 'b:' .. o.b
      write_outcome(o.b, id, 'cancelled|cancelled|settled|' .. (o.pe or '') .. '||' .. seconds .. '|' .. (o.wa or '') .. '|' .. o.c)
      leave_dead(id, o)
      redis.call('DEL', prefix .. 'x:' .. id, prefix .. 'p:' .. id)
      export = id -- for add_entry and keep_timeline
      add_entry(ARGV[i + 1])
      keep_timeline(o.b)
      tally(old_key, 'dead', o.rs, -1)
      tally(old_key, 'cancelled', 'settled', 1)
      if o.pe == person then note_profile(old_key, o, -1) end
      end_batch(old_key, t, ARGV[11])
    end
  end
end
return {'ok'}
