-- Ends the lease of a worker that is dead. KEYS[1] record.
-- ARGV: prefix, export, worker. Returns 1 where the export was in its hands.
local r = redis.call('HMGET', KEYS[1], 'st', 'wk', 'le')
local working = r[1] == 'claimed' or r[1] == 'creating' or r[1] == 'created' or r[1] == 'placing'
if not working or r[2] ~= ARGV[3] or r[3] == '0' then return 0 end
redis.call('HSET', KEYS[1], 'le', '0')
due(export, now())
return 1
