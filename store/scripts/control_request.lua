-- Records a control task, or joins the waiting or running one of its kind.
-- KEYS[1]: the customer's control tasks of the kind, newest first. ARGV: prefix, id, kind, requester
-- (sealed), arguments (sealed), how many are kept, for how long (ms).
-- Returns {'new' | 'joined', id}.
local prefix, id = ARGV[1], ARGV[2]
local last = redis.call('LINDEX', KEYS[1], 0)
if last == id then return {'new', id} end -- repeated because the reply was lost
if last then
  local state = redis.call('HGET', prefix .. 'errand:' .. last, 'st')
  -- A new request for the waiting task restarts its expiry.
  if state == 'waiting' then redis.call('HSET', prefix .. 'errand:' .. last, 'asked', string.format('%.0f', now())) end
  if state == 'waiting' or state == 'running' then return {'joined', last} end
end
local key = prefix .. 'errand:' .. id
redis.call('HSET', key, 'k', ARGV[3], 'by', ARGV[4], 'args', ARGV[5], 'st', 'waiting',
  'asked', string.format('%.0f', now()), 'rev', 1)
redis.call('PEXPIRE', key, ARGV[7])
redis.call('LPUSH', KEYS[1], id)
redis.call('PEXPIRE', KEYS[1], ARGV[7])
while redis.call('LLEN', KEYS[1]) > tonumber(ARGV[6]) do
  redis.call('DEL', prefix .. 'errand:' .. redis.call('RPOP', KEYS[1]))
end
return {'new', id}
