-- Adds an entry to a day of the journal, with the head that counts it. Answers {1}, or
-- {0, head} if another entry came first.
-- KEYS: the day's entries, its head. ARGV: the head it was made for ('' for none), the
-- next head, the entry, when the day expires (s).
local head = redis.call('GET', KEYS[2]) or ''
if head ~= ARGV[1] then return {0, head} end
redis.call('RPUSH', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('EXPIREAT', KEYS[1], ARGV[4])
redis.call('EXPIREAT', KEYS[2], ARGV[4])
return {1}
