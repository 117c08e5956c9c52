-- Moves the candidate of a dead export to another job, as an export of a batch for that job. The
-- first export opens the batch. KEYS[1]: record. ARGV: prefix, export, token, new batch, its
-- target, its options, new export, its payload, ms until a task must exist, retention s, timeline
-- entries of the old and the new export. Returns {'ok'} | {'gone'} | {'not dead', state} |
-- {'changed'} | {'unsettled'} | {'there'} | {'stopped'}.
local r, t = fields(KEYS[1]), now()
local batch, id, retention = ARGV[4], ARGV[7], ARGV[10]
local rec, batch_key = prefix .. 'x:' .. id, prefix .. 'b:' .. batch
local there = redis.call('EXISTS', rec) == 1 or redis.call('HEXISTS', outcome_place(batch, id), id) == 1
-- Already moved to that batch: the reply was lost.
if not r.st then return there and {'ok'} or {'gone'} end
if r.st ~= 'dead' then return {'not dead', r.st} end
-- The export ran after the caller read it: the payload may differ.
if (r.tk or '0') ~= ARGV[3] then return {'changed'} end
-- An unconfirmed write must be resolved first.
if r['in'] then return {'unsettled'} end
if there then return {'there'} end
local b = redis.call('HMGET', batch_key, 't', 'stopped')
if b[2] then return {'stopped'} end

if not b[1] then
  forget_missing_job(ARGV[5])
  redis.call('ZADD', prefix .. 'batches', int(t), batch)
  -- Its exports have no input rows.
  redis.call('HSET', batch_key, 't', ARGV[5], 'o', ARGV[6], 'opened', int(t), 'refused', '0', 'sh', '1:?')
end
local row = redis.call('RPUSH', batch_key .. ':r', id) - 1
redis.call('HSET', rec, 'st', 'queued', 'b', batch, 'r', int(row), 'c', r.c, 'eh', r.eh, 'q', int(t))
-- The new export must not create the person again.
for _, name in ipairs({'pe', 'pm', 'wa'}) do
  if r[name] then redis.call('HSET', rec, name, r[name]) end
end
redis.call('SET', prefix .. 'p:' .. id, ARGV[8])
due(id, t + tonumber(ARGV[9]))
redis.call('HINCRBY', batch_key, 'accepted', 1)
-- No producer closes this batch. It may have ended before this export was added.
redis.call('HSET', batch_key, 'closed', int(t))
redis.call('HDEL', batch_key, 'ended')
keep_batch(batch_key)
count('live', 1)
redis.call('LPUSH', prefix .. 's:' .. id, ARGV[12])

local old_key = prefix .. 'b:' .. r.b
write_outcome(r.b, export, 'cancelled|cancelled|transferred|' .. (r.pe or '') .. '||' ..
  int(math.floor(t / 1000)) .. '|' .. (r.wa or '') .. '|' .. r.c)
leave_dead(export, r)
note_profile(old_key, r, -1)
redis.call('DEL', KEYS[1], prefix .. 'p:' .. export)
add_entry(ARGV[11])
keep_timeline(r.b)
tally(old_key, 'dead', r.rs or '', -1)
tally(old_key, 'cancelled', 'transferred', 1)
end_batch(old_key, t, retention)
return {'ok'}
