-- Records that a customer's connection changed. Each change has a higher score than all before, so a
-- reader finds all changes after the last score it has seen.
-- KEYS[1]: list of connections. ARGV: customer.
-- Returns the score.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local at = math.max(micros(), tonumber(last[2] or '0') + 1)
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
return string.format('%.0f', at)
