-- Removes an expired pause. A newer one stays.
-- KEYS[1]: pause. Returns 1 if it was removed.
local ends = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
if ends == 0 or ends > now() then return 0 end
return redis.call('DEL', KEYS[1])
