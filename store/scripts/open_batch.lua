-- Opens a batch, or finds the one that the same idempotency key opened before.
-- KEYS[1] batch. ARGV: prefix, batch, target, options, '1' for a test.
local b = redis.call('HMGET', KEYS[1], 't', 'o')
if b[1] then
  if b[1] == ARGV[3] and b[2] == ARGV[4] then return {'again'} end
  return {'conflict', b[1], b[2]}
end
redis.call('ZADD', prefix .. (ARGV[5] == '1' and 'tests' or 'batches'), int(now()), export)
if ARGV[5] == '1' then
  redis.call('HSET', KEYS[1], 'test', '1')
  redis.call('ZREMRANGEBYSCORE', prefix .. 'tests', '-inf', int(now() - 400 * 86400000)) -- long expired
end
redis.call('HSET', KEYS[1], 't', ARGV[3], 'o', ARGV[4], 'opened', int(now()))
return {'new'}
