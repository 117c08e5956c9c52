-- What a worker tells of the errand that it holds. KEYS: the errand. ARGV: token,
-- lease (ms) or 0, result (sealed) or '', calls, next state or '', failure or ''.
-- Returns {'ok'} | {'lost'}.
local key, to = KEYS[1], ARGV[5]
local e = redis.call('HMGET', key, 'st', 'tk')
if to ~= '' and e[1] == to and e[2] == ARGV[1] then return {'ok'} end -- repeated
if e[1] ~= 'running' or e[2] ~= ARGV[1] then return {'lost'} end
local ms = now()
if ARGV[2] ~= '0' then redis.call('HSET', key, 'le', string.format('%.0f', ms + tonumber(ARGV[2]))) end
redis.call('HSET', key, 'calls', ARGV[4])
if ARGV[3] ~= '' then redis.call('HSET', key, 'result', ARGV[3]) end
if to ~= '' then
  redis.call('HSET', key, 'st', to)
  redis.call('HDEL', key, 'le', 'wk', 'rq')
  if ARGV[6] ~= '' then redis.call('HSET', key, 'f', ARGV[6]) end
  if to ~= 'waiting' then redis.call('HSET', key, 'ended', string.format('%.0f', ms)) end
end
-- Renewed leases are no news.
if ARGV[3] ~= '' or to ~= '' then redis.call('HINCRBY', key, 'rev', 1) end
return {'ok'}
