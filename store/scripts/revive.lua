-- Retries a dead export.
-- KEYS[1]: record. ARGV: prefix, export, ms until a task must exist, timeline entry.
-- Returns {'ok'} | {'gone'} | {'not dead', state}.
local r = fields(KEYS[1])
if not r.st then return {'gone'} end
if r.st ~= 'dead' then return {'not dead', r.st} end
redis.call('HSET', KEYS[1], 'st', 'queued', 'at', '0')
redis.call('HDEL', KEYS[1], 'fa', 'panics', 'rs', 'da', 'due')
-- A worker that repeats its transition to dead, because the reply was lost, gets "stale".
redis.call('HINCRBY', KEYS[1], 'tk', 1)
leave_dead(export, r)
redis.call('HDEL', outcome_place(r.b, export), export)
local batch_key = prefix .. 'b:' .. r.b
tally(batch_key, 'dead', r.rs or '', -1)
note_profile(batch_key, r, -1)
forget_missing_job(redis.call('HGET', batch_key, 't'))
redis.call('HDEL', batch_key, 'ended')
keep_batch(batch_key)
redis.call('SREM', batch_key .. ':s', export)
count('live', 1)
due(export, now() + tonumber(ARGV[3]))
add_entry(ARGV[4])
return {'ok'}
