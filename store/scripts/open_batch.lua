-- Creates a batch, or finds the one with the same idempotency key.
-- KEYS[1]: batch. ARGV: prefix, batch, target, options, '1' for a test, the customer's limit of
-- waiting candidates (0: none), span if it is traced.
-- Returns {'new'} | {'again'} | {'conflict', target, options} | {'full'}.
local b = redis.call('HMGET', KEYS[1], 't', 'o')
if b[1] then
  if b[1] ~= ARGV[3] or b[2] ~= ARGV[4] then return {'conflict', b[1], b[2]} end
  if ARGV[7] then redis.call('HSETNX', KEYS[1], 'tp', ARGV[7]) end
  return {'again'}
end
if ARGV[5] ~= '1' and room_for(ARGV[6]) <= 0 then return {'full'} end
redis.call('ZADD', prefix .. (ARGV[5] == '1' and 'tests' or 'batches'), int(now()), export)
if ARGV[5] == '1' then redis.call('HSET', KEYS[1], 'test', '1') end
redis.call('HSET', KEYS[1], 't', ARGV[3], 'o', ARGV[4], 'opened', int(now()))
if ARGV[7] then redis.call('HSET', KEYS[1], 'tp', ARGV[7]) end
forget_missing_job(ARGV[3])
return {'new'}
