-- Sets when a customer next wants a lane, or removes it from the list, unless it was announced since
-- its score was read.
-- KEYS[1]: list of lanes. ARGV: customer, score as read, time (µs) or '' to remove it, maximum delay
-- (ms).
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
local at = math.min(tonumber(ARGV[3]), (now() + tonumber(ARGV[4])) * 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
return 1
