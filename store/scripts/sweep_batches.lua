-- Removes expired batches from the list, and closes open ones whose producer has vanished. Skips
-- batches with broken keys.
-- KEYS[1]: list of batches. ARGV: prefix, '', ms without a row after which an open batch is closed,
-- retention s; then batches.
-- Returns {removed, closed, broken}.
local t, idle, forgotten, closed, broken = now(), tonumber(ARGV[3]), 0, 0, 0
local function sweep(batch)
  local key = prefix .. 'b:' .. batch
  if redis.call('EXISTS', key) == 0 then
    forgotten = forgotten + redis.call('ZREM', KEYS[1], batch)
    return
  end
  local b = redis.call('HMGET', key, 'closed', 'last_accepted', 'opened')
  if b[1] or t - (tonumber(b[2] or b[3] or '0') or 0) < idle then return end
  redis.call('HSET', key, 'closed', int(t), 'abandoned', int(t))
  closed = closed + 1
  end_batch(key, t, ARGV[4])
end
for i = 5, #ARGV do
  if not pcall(sweep, ARGV[i]) then broken = broken + 1 end
end
return {int(forgotten), int(closed), int(broken)}
