-- Records a worker's heartbeat and returns all workers. Removes workers without a recent heartbeat.
-- KEYS[1]: list of workers. ARGV: worker, its open lanes, how many more it can open, customers it
-- refuses, customers whose iCIMS it cannot reach, ms after which silent workers are removed.
local t = now()
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', t) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
local workers = redis.call('HGETALL', KEYS[1])
for i = 1, #workers, 2 do
  if t - tonumber(string.match(workers[i + 1], '^%d+')) > tonumber(ARGV[6]) then redis.call('HDEL', KEYS[1], workers[i]) end
end
return {string.format('%.0f', t), workers}
