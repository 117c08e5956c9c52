-- Appends an entry to a day of the audit log and updates the head that counts its entries.
-- KEYS: the day's entries, its head. ARGV: the head as read ('' for none), the next head, the entry,
-- when the day expires (s).
-- Returns {1}, or {0, head} if another entry came first.
local head = redis.call('GET', KEYS[2]) or ''
if head ~= ARGV[1] then return {0, head} end
redis.call('RPUSH', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('EXPIREAT', KEYS[1], ARGV[4])
redis.call('EXPIREAT', KEYS[2], ARGV[4])
return {1}
