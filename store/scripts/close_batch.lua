-- Closes a batch: the producer has submitted everything. A submission without anything new keeps
-- the time of the previous one. KEYS[1]: batch. ARGV: prefix, '', refused rows, retention s, '1'
-- for an interrupted submission, number of input rows sent in chunks (-1: do not compare rows),
-- digests of the rows after them; then chunks of the refused rows, sealed. Returns {'ok'}, or as
-- accept.lua if rows differ from an earlier submission, or {'conflict', 'fewer', rows of the batch}
-- if that had more.
local t, before, broke_off = now(), tonumber(ARGV[6]), ARGV[5] == '1'
if before >= 0 then
  local rows, differs = compare_rows(KEYS[1], before, ARGV[7])
  if differs then return differs end
  local all = before + #ARGV[7] / digest_size
  if rows > all then return {'conflict', 'fewer', int(rows)} end
  if all > rows then
    redis.call('APPEND', KEYS[1] .. ':digests', string.sub(ARGV[7], (rows - before) * digest_size + 1))
  end
  redis.call('HSET', KEYS[1], 'complete', int(all))
elseif redis.call('HEXISTS', KEYS[1], 'complete') == 1 then
  return {'ok'} -- already submitted completely
end
local closed = redis.call('HMGET', KEYS[1], 'closed', 'more', 'abandoned')
if not closed[1] or closed[2] or closed[3] then
  redis.call('HSET', KEYS[1], 'closed', int(t))
  redis.call('HDEL', KEYS[1], 'more', 'abandoned')
end
-- An interrupted submission may have read fewer rows than an earlier one.
local earlier = tonumber(redis.call('HGET', KEYS[1], 'refused') or '0')
if not broke_off or tonumber(ARGV[3]) >= earlier then
  redis.call('HSET', KEYS[1], 'refused', ARGV[3])
  redis.call('DEL', KEYS[1] .. ':refused')
  for i = 8, #ARGV do redis.call('RPUSH', KEYS[1] .. ':refused', ARGV[i]) end
end
end_batch(KEYS[1], t, ARGV[4])
return {'ok'}
