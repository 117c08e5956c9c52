-- Replaces the sealed list of the journal's days, unless somebody else just did.
-- KEYS: the list. ARGV: the list that was read ('' for none), the next one.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
