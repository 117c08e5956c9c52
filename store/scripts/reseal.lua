-- Replaces sealed values by the same values sealed with another key, unless they have changed.
-- KEYS[1]: key. ARGV: kind, then by kind
-- string, list, hash: pairs of the old value's beginning and the new value.
-- stream: number of entries, first and last ID; then all IDs, each with its new value.
-- items (a list that only grows): triples of index, the old value's beginning, and the new value.
-- Returns the number of replaced values; -1 for a stream that has changed.
local key, kind, replaced = KEYS[1], ARGV[1], 0
local function begins(value, head) return value and string.sub(value, 1, #head) == head end

if kind == 'string' then
  if begins(redis.call('GET', key), ARGV[2]) then
    redis.call('SET', key, ARGV[3], 'KEEPTTL')
    replaced = 1
  end
elseif kind == 'items' then
  for i = 2, #ARGV, 3 do
    if begins(redis.call('LINDEX', key, ARGV[i]), ARGV[i + 1]) then
      redis.call('LSET', key, ARGV[i], ARGV[i + 2])
      replaced = replaced + 1
    end
  end
elseif kind == 'stream' then
  local first, last = redis.call('XRANGE', key, '-', '+', 'COUNT', 1), redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  if #first == 0 or redis.call('XLEN', key) ~= tonumber(ARGV[2]) or first[1][1] ~= ARGV[3] or last[1][1] ~= ARGV[4] then return -1 end
  -- Stream entries cannot be changed, so write the stream again.
  redis.call('DEL', key)
  for i = 5, #ARGV, 2 do
    redis.call('XADD', key, ARGV[i], 'a', ARGV[i + 1])
    replaced = replaced + 1
  end
else
  local flat = redis.call(kind == 'list' and 'LRANGE' or 'HGETALL', key, unpack(kind == 'list' and {0, -1} or {}))
  for i = 2, #ARGV, 2 do
    for at, value in ipairs(flat) do
      if begins(value, ARGV[i]) then
        if kind == 'list' then
          redis.call('LSET', key, at - 1, ARGV[i + 1])
        else
          redis.call('HSET', key, flat[at - 1], ARGV[i + 1])
        end
        replaced = replaced + 1
        break
      end
    end
  end
end
return replaced
