-- Changes a customer's connection or its state.
-- KEYS[1]: connection. ARGV: expected revision or '', expected state, next state, document or '' to
-- keep it, reason, history entry or ''.
-- Returns {'ok', revision} | {'changed', revision, state} | {'illegal', state}.
local c = redis.call('HMGET', KEYS[1], 'rev', 'st')
local revision, state, to = c[1] or '0', c[2] or 'absent', ARGV[3]
if state ~= ARGV[2] or (ARGV[1] ~= '' and ARGV[1] ~= revision) then return {'changed', revision, state} end
if to ~= state and not string.find(moves[state], ' ' .. to .. ' ', 1, true) then return {'illegal', state} end
local at = string.format('%.0f', now())
-- A pause has its own key and expiry: here it only appears in the history.
if to ~= state and to ~= 'paused' then
  redis.call('HSET', KEYS[1], 'st', to, 'since', at)
  redis.call('HDEL', KEYS[1], 'rs')
end
if ARGV[5] ~= '' and to ~= 'paused' then redis.call('HSET', KEYS[1], 'rs', ARGV[5]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'd', ARGV[4], 'at', at) end
if to == 'removed' then
  redis.call('HDEL', KEYS[1], 'd')
  redis.call('DEL', KEYS[1] .. ':profile')
end
if ARGV[4] ~= '' or (to == 'removed' and state ~= 'removed') then
  revision = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'rev', 1))
end
if ARGV[6] ~= '' then
  redis.call('LPUSH', KEYS[1] .. ':h', ARGV[6])
  redis.call('LTRIM', KEYS[1] .. ':h', 0, 99)
end
return {'ok', revision}
