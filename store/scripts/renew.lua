-- Renews the lease of a claimed export.
-- KEYS[1]: record. ARGV: prefix, export, token, lease ms.
-- Returns {'ok'} | {'gone'} | {'stale'}.
local r = redis.call('HMGET', KEYS[1], 'st', 'tk')
if not r[1] then return {'gone'} end
local working = r[1] == 'claimed' or r[1] == 'creating' or r[1] == 'created' or r[1] == 'placing'
if r[2] ~= ARGV[3] or not working then return {'stale'} end
local lease = now() + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'le', int(lease))
-- The write may still wait for its permit, so the settle time starts at the last renewal.
if r[1] == 'creating' or r[1] == 'placing' then redis.call('HSET', KEYS[1], 'ia', int(now())) end
due(export, lease)
begun(export, lease)
return {'ok'}
