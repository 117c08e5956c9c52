-- Keeps what verification has found out about a customer's iCIMS. KEYS[1] connection.
-- ARGV: revision of the connection that was verified, 0 for one that is not the store's; the
-- profile (sealed); for how long it is kept (ms).
-- Returns {'ok'} | {'changed', revision}.
local revision = redis.call('HGET', KEYS[1], 'rev') or '0'
if revision ~= ARGV[1] then return {'changed', revision} end
redis.call('SET', KEYS[1] .. ':profile', ARGV[2], 'PX', ARGV[3])
return {'ok'}
