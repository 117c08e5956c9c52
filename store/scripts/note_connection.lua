-- Notes that a customer's connection was changed. KEYS: list of connections; ARGV:
-- customer. No two changes have the same score, and a later one has a higher: who
-- has read up to one finds all that came after.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local at = math.max(micros(), tonumber(last[2] or '0') + 1)
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
return string.format('%.0f', at)
