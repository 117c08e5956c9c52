-- A customer's lane closes: when it next wants one, or '' to take it off the list,
-- unless it was announced since its score was read. KEYS: list of lanes; ARGV:
-- customer, score as read, when (µs), the longest rest (ms).
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
local at = math.min(tonumber(ARGV[3]), (now() + tonumber(ARGV[4])) * 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
return 1
