-- A worker takes an errand that waits, or whose worker has fallen silent. KEYS: the
-- customer's errands of the kind. ARGV: prefix, worker, lease (ms), a number for this
-- request.
-- Returns {'claimed', id, token, end of the lease, fields} | {'held', end of the
-- lease} | {'none'}.
local id = redis.call('LINDEX', KEYS[1], 0)
if not id then return {'none'} end
local key = ARGV[1] .. 'errand:' .. id
local e = redis.call('HMGET', key, 'st', 'le', 'began', 'rq', 'tk')
local ms = now()
if e[1] == 'running' and e[4] == ARGV[4] then -- repeated, as the answer was lost
  return {'claimed', id, e[5], e[2], redis.call('HGETALL', key)}
end
if e[1] == 'running' and tonumber(e[2]) > ms then return {'held', e[2]} end
if e[1] ~= 'waiting' and e[1] ~= 'running' then return {'none'} end
local ends = string.format('%.0f', ms + tonumber(ARGV[3]))
local token = string.format('%.0f', redis.call('HINCRBY', key, 'tk', 1))
redis.call('HSET', key, 'st', 'running', 'le', ends, 'wk', ARGV[2], 'rq', ARGV[4])
if not e[3] then redis.call('HSET', key, 'began', string.format('%.0f', ms)) end
-- One that was handed back is no new try.
if not e[3] or e[1] == 'running' then redis.call('HINCRBY', key, 'tries', 1) end
redis.call('HINCRBY', key, 'rev', 1)
return {'claimed', id, token, ends, redis.call('HGETALL', key)}
