-- A worker process lives, and learns who else does. KEYS: registry of workers;
-- ARGV: worker, its open lanes, how many more it can open, customers it refuses, customers
-- whose iCIMS it cannot reach.
local t = string.format('%.0f', now())
redis.call('HSET', KEYS[1], ARGV[1], t .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
return {t, redis.call('HGETALL', KEYS[1])}
