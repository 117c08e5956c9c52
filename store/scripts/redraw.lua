-- Replaces an export's dummy address.
-- KEYS[1]: record. ARGV: prefix, export, token, new email hash, new payload.
-- Returns {'ok'} | {'gone'} | {'stale'} | {'taken'}, or as refuse.
local r = fields(KEYS[1])
if not r.st then return {'gone'} end
if r.tk ~= ARGV[3] then return {'stale'} end
-- Only an export that has written nothing may change its address.
if r.st ~= 'claimed' or r['in'] or r.pe then return refuse(r.st) end
if redis.call('SET', prefix .. 'l:' .. ARGV[4], export, 'NX', 'EX', 604800) == false then return {'taken'} end
release_lock(r.eh)
redis.call('HSET', KEYS[1], 'eh', ARGV[4])
redis.call('SET', prefix .. 'p:' .. export, ARGV[5])
return {'ok'}
