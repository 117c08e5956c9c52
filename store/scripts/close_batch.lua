-- Notes that the producer has handed over everything. KEYS[1] batch.
-- ARGV: prefix, '', refused rows, retention s.
local t = int(now())
redis.call('HSET', KEYS[1], 'closed', t, 'refused', ARGV[3])
local b = redis.call('HMGET', KEYS[1], 'accepted', 'n:created', 'n:updated', 'n:skipped', 'n:dead', 'n:cancelled')
local ended = 0
for i = 2, 6 do ended = ended + tonumber(b[i] or '0') end
if ended >= tonumber(b[1] or '0') then
  redis.call('HSETNX', KEYS[1], 'ended', t)
  if tonumber(b[5] or '0') == 0 then
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    redis.call('EXPIRE', KEYS[1] .. ':r', ARGV[4])
  end
end
return {'ok'}
