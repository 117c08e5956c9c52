-- Notes that the producer has handed over everything. KEYS[1] batch.
-- ARGV: prefix, '', refused rows, retention s.
local t = now()
redis.call('HSET', KEYS[1], 'closed', int(t), 'refused', ARGV[3])
end_batch(KEYS[1], t, ARGV[4])
return {'ok'}
