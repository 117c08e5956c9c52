-- Notes that an export gets another task. KEYS[1] record.
-- ARGV: prefix, export, ms until it is looked at again. Returns the generation.
local r = redis.call('HMGET', KEYS[1], 'st')
if not r[1] or not legal(r[1], 'claimed') then
  redis.call('ZREM', prefix .. 'due', export)
  return -1
end
due(export, now() + tonumber(ARGV[3]))
return redis.call('HINCRBY', KEYS[1], 'g', 1)
