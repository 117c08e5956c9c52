-- Writes an API key together with the list of keys, unless that list has changed since it was read.
-- KEYS[1]: API keys. ARGV: field of the list, list as read or '', new list, id, key or '' to remove
-- it; then fields to remove.
-- Returns 1, or 0 if the list has changed.
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[5] == '' then
  redis.call('HDEL', KEYS[1], ARGV[4], ARGV[4] .. ':u')
else
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
end
for i = 6, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1
