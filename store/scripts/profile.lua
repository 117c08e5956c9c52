-- Stores the findings of a verification.
-- KEYS[1]: connection. ARGV: revision of the verified connection, 0 if it is not in the store; the
-- profile (sealed); its expiry (ms).
-- Returns {'ok'} | {'changed', revision}.
local revision = redis.call('HGET', KEYS[1], 'rev') or '0'
if revision ~= ARGV[1] then return {'changed', revision} end
redis.call('SET', KEYS[1] .. ':profile', ARGV[2], 'PX', ARGV[3])
return {'ok'}
