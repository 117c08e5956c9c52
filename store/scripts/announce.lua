-- A customer wants a lane now. KEYS: list of lanes; ARGV: customer, '1' to leave
-- alone one that is not listed. No two announcements of a customer have the same
-- score, so that whoever compares it notices each.
local old = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not old and ARGV[2] == '1' then return 0 end
local at = now() * 1000
local last = tonumber(old or '0')
if last >= at and last < at + 1000000 then at = last + 1 end
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
return 1
