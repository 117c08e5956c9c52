-- Cancels a waiting export and purges its data.
-- KEYS[1]: record. ARGV: prefix, export, retention s, timeline entry.
-- Returns {'ok', person already in iCIMS or ''} | {'gone'} | {'not waiting', state}.
local r = fields(KEYS[1])
if not r.st then return {'gone'} end
-- An unconfirmed write must be resolved first. Dead exports are discarded instead.
if r['in'] or r.st == 'dead' or not legal(r.st, 'cancelled') then return {'not waiting', r.st} end
local t = now()
write_outcome(r.b, export, 'cancelled|cancelled|cancelled|' .. (r.pe or '') .. '||' ..
  int(math.floor(t / 1000)) .. '|' .. (r.wa or '') .. '|' .. r.c)
redis.call('DEL', KEYS[1], prefix .. 'p:' .. export)
add_entry(ARGV[4])
keep_timeline(r.b)
redis.call('ZREM', prefix .. 'due', export)
redis.call('ZREM', prefix .. 'begun', export)
release_locks(r)
count('live', -1)
local batch_key = prefix .. 'b:' .. r.b
tally(batch_key, 'cancelled', 'cancelled', 1)
note_profile(batch_key, r, 1)
end_batch(batch_key, t, ARGV[3])
return {'ok', r.pe or ''}
