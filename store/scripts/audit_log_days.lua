-- Replaces the sealed list of audit log days, unless it has changed since it was read.
-- KEYS[1]: the list. ARGV: the list as read ('' for none), the new list.
-- Returns 1, or 0 if the list has changed.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
