-- Begins a control task, records its result, ends it or returns it to the queue.
-- KEYS[1]: the task's record. ARGV: fencing token or '' to begin, result (sealed) or '', calls, next
-- state or '', failure or '', try.
-- Returns {'ok', token, fields} | {'lost'}.
local key, token, to = KEYS[1], ARGV[1], ARGV[4]
local state, current = unpack(redis.call('HMGET', key, 'st', 'tk'))
local ms = string.format('%.0f', now())
if token == '' then
  -- The last run to begin owns the task: asynq may start it again while another run is in progress.
  if state ~= 'waiting' and state ~= 'running' then return {'lost'} end
  token = string.format('%.0f', redis.call('HINCRBY', key, 'tk', 1))
  redis.call('HSETNX', key, 'began', ms)
  redis.call('HSET', key, 'st', 'running', 'tries', ARGV[6])
  redis.call('HINCRBY', key, 'rev', 1)
  return {'ok', token, redis.call('HGETALL', key)}
end
if current ~= token then return {'lost'} end
if to ~= '' and state == to then return {'ok'} end -- repeated because the reply was lost
if state ~= 'running' then return {'lost'} end
redis.call('HSET', key, 'calls', ARGV[3])
if ARGV[2] ~= '' then redis.call('HSET', key, 'result', ARGV[2]) end
if ARGV[5] ~= '' then redis.call('HSET', key, 'f', ARGV[5]) end
if to ~= '' then redis.call('HSET', key, 'st', to) end
if to == 'done' or to == 'failed' then redis.call('HSET', key, 'ended', ms) end
redis.call('HINCRBY', key, 'rev', 1)
return {'ok'}
