-- Changes a customer's job list, unless it has changed since it was read.
-- KEYS[1]: jobs. ARGV: version as read, expiry (ms), ID of this change, number of arguments with
-- fields; the fields with their values; then 'all' and all chunks, or 'some' and pairs of position
-- and chunk.
-- Returns {'ok', version} | {'moved', version}.
local key, list = KEYS[1], KEYS[1] .. ':l'
local version = redis.call('HGET', key, 'v') or '0'
if redis.call('HGET', key, 'w') == ARGV[3] then return {'ok', version} end -- repeated request
if version ~= ARGV[1] then return {'moved', version} end
redis.call('HSET', key, 'w', ARGV[3])
local last = 4 + tonumber(ARGV[4])
for i = 5, last, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
if ARGV[last + 1] == 'all' then
  redis.call('DEL', list)
  for i = last + 2, #ARGV do redis.call('RPUSH', list, ARGV[i]) end
else
  for i = last + 2, #ARGV, 2 do redis.call('LSET', list, ARGV[i], ARGV[i + 1]) end
end
-- A new list starts with a version that no earlier list had.
if version == '0' then redis.call('HSET', key, 'v', string.format('%.0f', micros())) end
version = string.format('%.0f', redis.call('HINCRBY', key, 'v', 1))
redis.call('PEXPIRE', key, ARGV[2])
redis.call('PEXPIRE', list, ARGV[2])
return {'ok', version}
