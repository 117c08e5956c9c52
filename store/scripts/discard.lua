-- Ends a dead export permanently and purges its data.
-- KEYS[1]: record. ARGV: prefix, export, retention s, timeline entry.
-- Returns {'ok'} | {'gone'} | {'not dead', state}.
local r = fields(KEYS[1])
if not r.st then return {'gone'} end
if r.st ~= 'dead' then return {'not dead', r.st} end
write_outcome(r.b, export, 'cancelled|cancelled|' .. (r.rs or '') .. '|' .. (r.pe or '') .. '||' ..
  int(math.floor(now() / 1000)) .. '|' .. (r.wa or '') .. '|' .. r.c)
leave_dead(export, r)
redis.call('DEL', KEYS[1], prefix .. 'p:' .. export)
add_entry(ARGV[4])
keep_timeline(r.b)
local batch_key = prefix .. 'b:' .. r.b
tally(batch_key, 'dead', r.rs or '', -1)
tally(batch_key, 'cancelled', r.rs or '', 1)
end_batch(batch_key, now(), ARGV[3])
return {'ok'}
