-- Finds a customer's latest errand of a kind that was done. KEYS: the customer's errands
-- of the kind, the latest first. ARGV: prefix. Returns its id, and its fields with their
-- values in turn; nothing where none was done.
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local key = ARGV[1] .. 'errand:' .. id
  if redis.call('HGET', key, 'st') == 'done' then return {id, unpack(redis.call('HGETALL', key))} end
end
return {}
