-- Gives a dead export up for good and purges its data. KEYS[1] record.
-- ARGV: prefix, export, retention s, story entry.
-- Returns {'ok'} | {'gone'} | {'not dead', state}.
local r = fields(KEYS[1])
if not r.st then return {'gone'} end
if r.st ~= 'dead' then return {'not dead', r.st} end
local outcomes = outcome_place(r.b, export)
redis.call('HSET', outcomes, export, 'cancelled|cancelled|' .. (r.rs or '') .. '|' .. (r.pe or '') .. '||' ..
  int(math.floor(now() / 1000)) .. '|' .. (r.wa or '') .. '|' .. r.c)
redis.call('EXPIRE', outcomes, ARGV[3])
redis.call('ZREM', prefix .. 'dead', export)
redis.call('DEL', KEYS[1], prefix .. 'p:' .. export)
tell(ARGV[4])
redis.call('EXPIRE', prefix .. 's:' .. export, ARGV[3])
local batch_key = prefix .. 'b:' .. r.b
tally(batch_key, 'dead', r.rs or '', -1)
tally(batch_key, 'cancelled', r.rs or '', 1)
end_batch(batch_key, now(), ARGV[3])
return {'ok'}
