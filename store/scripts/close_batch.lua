-- Notes that the producer has handed over everything. KEYS[1] batch.
-- ARGV: prefix, '', refused rows, retention s, '1' for a sending that broke off, then
-- chunks of the refused rows, sealed.
-- A sending that has brought nothing new leaves the time of the one before.
local t = now()
local closed = redis.call('HMGET', KEYS[1], 'closed', 'more', 'abandoned')
if not closed[1] or closed[2] or closed[3] then
  redis.call('HSET', KEYS[1], 'closed', int(t))
  redis.call('HDEL', KEYS[1], 'more', 'abandoned')
end
-- A sending that broke off may have read fewer rows than one before it.
local before = tonumber(redis.call('HGET', KEYS[1], 'refused') or '0')
if ARGV[5] ~= '1' or tonumber(ARGV[3]) >= before then
  redis.call('HSET', KEYS[1], 'refused', ARGV[3])
  redis.call('DEL', KEYS[1] .. ':refused')
  for i = 6, #ARGV do redis.call('RPUSH', KEYS[1] .. ':refused', ARGV[i]) end
end
end_batch(KEYS[1], t, ARGV[4])
return {'ok'}
