-- Makes a customer want a lane now. Each announcement sets a different score, so that readers detect
-- it by comparing scores.
-- KEYS[1]: list of lanes. ARGV: customer, '1' to skip a customer that is not listed.
local old = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not old and ARGV[2] == '1' then return 0 end
local at = now() * 1000
local last = tonumber(old or '0')
if last >= at and last < at + 1000000 then at = last + 1 end
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
return 1
