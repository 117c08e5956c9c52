-- Notes that an export gets another task. KEYS[1] record.
-- ARGV: prefix, export, ms until it is looked at again. Returns the generation, or -1
-- where it needs none.
local r = redis.call('HMGET', KEYS[1], 'st', 'in', 'le')
if not r[1] or not legal(r[1], 'claimed') then
  redis.call('ZREM', prefix .. 'due', export)
  return -1
end
-- Claimed since it was seen to be late: a turn spent on it would only wait for the lease.
if tonumber(r[3] or '0') > now() then return -1 end
due(export, now() + tonumber(ARGV[3]))
-- Its task may go to the end of a long queue. An open intent has to settle first.
if not r[2] then put_back(export, now()) end
return redis.call('HINCRBY', KEYS[1], 'g', 1)
