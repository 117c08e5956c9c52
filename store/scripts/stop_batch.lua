-- Makes a canceled batch reject further exports, even while it is being submitted.
-- KEYS[1]: batch. ARGV: prefix, '', retention s.
-- Returns {'ok'} | {'gone'}.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
local t = now()
redis.call('HSETNX', KEYS[1], 'stopped', int(t))
-- The producer may not close it.
redis.call('HSETNX', KEYS[1], 'closed', int(t))
redis.call('HDEL', KEYS[1], 'abandoned') -- nothing is missing
end_batch(KEYS[1], t, ARGV[3])
return {'ok'}
