-- Notes that the producer has handed over everything. KEYS[1] batch.
-- ARGV: prefix, '', refused rows, retention s.
-- A sending that has brought nothing new leaves the time of the one before.
local t = now()
local closed = redis.call('HMGET', KEYS[1], 'closed', 'more')
if not closed[1] or closed[2] then
  redis.call('HSET', KEYS[1], 'closed', int(t))
  redis.call('HDEL', KEYS[1], 'more')
end
redis.call('HSET', KEYS[1], 'refused', ARGV[3])
end_batch(KEYS[1], t, ARGV[4])
return {'ok'}
