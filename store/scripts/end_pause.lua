-- Ends a pause whose time is over, and no other: an operator may have paused again.
-- KEYS[1] pause. Returns 1 where it did.
local ends = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
if ends == 0 or ends > now() then return 0 end
return redis.call('DEL', KEYS[1])
