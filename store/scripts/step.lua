-- Moves a claimed export one step on and renews its lease. KEYS[1] record.
-- ARGV: prefix, export, token, to, lease ms, person or '', made c|u or '',
-- warnings, story entry or '', epoch of the claim, proofs of the person for the export and
-- for the e-mail.
local r = fields(KEYS[1])
local to = ARGV[4]
local early = answer_early(r, ARGV[3], to)
if early then return early end
-- Nothing is created after Redis went back, but who was is recorded.
local refused = (to == 'creating' or to == 'placing') and went_back(ARGV[10])
if refused then
  if ARGV[6] == '' or not legal(r.st, 'created') then return {'went_back'} end
  to = 'created'
end
local t = now()
redis.call('HSET', KEYS[1], 'st', to, 'le', int(t + tonumber(ARGV[5])))
due(export, t + tonumber(ARGV[5]))
tell(ARGV[9])
if to == 'creating' then
  redis.call('HSET', KEYS[1], 'in', 'p', 'ia', int(t))
elseif to == 'placing' then
  redis.call('HSET', KEYS[1], 'in', 'w', 'ia', int(t))
else
  redis.call('HDEL', KEYS[1], 'in', 'ia')
end
-- A person recorded by an earlier attempt is old news: another export may have
-- made a new one for the e-mail since.
if ARGV[6] ~= '' and ARGV[6] ~= r.pe then
  redis.call('HSET', KEYS[1], 'pe', ARGV[6], 'pm', ARGV[7])
  know(r.eh, ARGV[6], ARGV[12], '', '', '')
end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'person_proof', ARGV[11]) end
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'wa', ARGV[8]) end
return {refused and 'went_back' or 'ok'}
