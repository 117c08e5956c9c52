-- A worker process lives, and learns who else does. Those that have been silent for long go.
-- KEYS: list of workers; ARGV: worker, its open lanes, how many more it can open, customers it
-- refuses, customers whose iCIMS it cannot reach, for how many ms silent ones stay.
local t = now()
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', t) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
local workers = redis.call('HGETALL', KEYS[1])
for i = 1, #workers, 2 do
  if t - tonumber(string.match(workers[i + 1], '^%d+')) > tonumber(ARGV[6]) then redis.call('HDEL', KEYS[1], workers[i]) end
end
return {string.format('%.0f', t), workers}
