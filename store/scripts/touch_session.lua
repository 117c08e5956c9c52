-- Records the last use of a session, unless it has ended.
-- KEYS[1]: sessions. ARGV: session, field of its last use, time (s).
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return 0
