-- Releases a claimed export, to run again later.
-- KEYS[1]: record. ARGV: prefix, export, token, to (deferred|retrying|unknown), delay ms, reason,
-- attempts to add, warnings, timeline entry or '', forget the person 0|1, kind of export, its calls,
-- panics to add.
local r = fields(KEYS[1])
local to = ARGV[4]
-- Already released by the same claim: the reply was lost.
local held = r.st == 'deferred' or r.st == 'retrying' or r.st == 'unknown'
if held and r.tk == ARGV[3] and r.le == '0' then return {'ok'} end
local early = answer_early(r, ARGV[3], to)
if early then return early end
local t = now()
-- Leaving creating or placing for any state but unknown means that the write did not take effect.
-- An intent that was open at the claim stays open.
if to ~= 'unknown' and (r.st == 'creating' or r.st == 'placing') then
  redis.call('HDEL', KEYS[1], 'in', 'ia')
  r['in'] = nil
end
if to ~= 'unknown' and r['in'] then to = 'unknown' end
redis.call('HSET', KEYS[1], 'st', to, 'le', '0', 'due', int(t + tonumber(ARGV[5])), 'rs', ARGV[6])
due(export, t + tonumber(ARGV[5]))
add_entry(ARGV[9])
if ARGV[10] == '1' then
  redis.call('HDEL', KEYS[1], 'pe', 'pm', 'person_proof')
  -- Another export may have created a new person for the email in the meantime.
  local key = prefix .. 'k:' .. r.eh
  if r.pe and string.match(redis.call('GET', key) or '', '^%d+') == r.pe then redis.call('DEL', key) end
end
if r['in'] or (r.pe and ARGV[10] ~= '1') then
  begun(export, t + tonumber(ARGV[5]))
else
  redis.call('ZREM', prefix .. 'begun', export)
end
-- Time spent waiting does not count as failing.
if to == 'deferred' and r.fa then redis.call('HINCRBY', KEYS[1], 'fa', ARGV[5]) end
local added = tonumber(ARGV[7])
if added > 0 then
  redis.call('HINCRBY', KEYS[1], 'at', added)
  redis.call('HSETNX', KEYS[1], 'fa', int(t))
end
if ARGV[13] ~= '0' then redis.call('HINCRBY', KEYS[1], 'panics', ARGV[13]) end
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'wa', ARGV[8]) end
cost(prefix .. 'b:' .. r.b, ARGV[11], ARGV[12], false)
if not r['in'] then release_locks(r) end
return {'ok'}
