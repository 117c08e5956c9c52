-- Records a transition of a claimed export and renews its lease. KEYS[1]: record. ARGV: prefix,
-- export, token, to, lease ms, person or '', made c|u or '', warnings, timeline entry or '', epoch
-- of the claim, proofs of the person for the export and for the email.
local r = fields(KEYS[1])
local to = ARGV[4]
local function keep_warnings()
  if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'wa', ARGV[8]) else redis.call('HDEL', KEYS[1], 'wa') end
end
local early = answer_early(r, ARGV[3], to)
if early then
  if early[1] == 'ok' then keep_warnings() end -- what a create leaves out is recorded before each try
  return early
end
-- After a loss nothing is created, but an already created person is recorded.
local refused = (to == 'creating' or to == 'placing') and went_back(ARGV[10])
if refused then
  if ARGV[6] == '' or not legal(r.st, 'created') then return {'went_back'} end
  to = 'created'
end
local t = now()
local lease = t + tonumber(ARGV[5])
redis.call('HSET', KEYS[1], 'st', to, 'le', int(lease))
due(export, lease)
begun(export, lease)
add_entry(ARGV[9])
if to == 'creating' then
  redis.call('HSET', KEYS[1], 'in', 'p', 'ia', int(t))
elseif to == 'placing' then
  redis.call('HSET', KEYS[1], 'in', 'w', 'ia', int(t))
else
  redis.call('HDEL', KEYS[1], 'in', 'ia')
end
-- Skip a person recorded by an earlier attempt: another export may have created a new one for the
-- email since.
if ARGV[6] ~= '' and ARGV[6] ~= r.pe then
  redis.call('HSET', KEYS[1], 'pe', ARGV[6], 'pm', ARGV[7])
  know(r.eh, ARGV[6], ARGV[12], '', '', '')
end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'person_proof', ARGV[11]) end
keep_warnings()
return {refused and 'went_back' or 'ok'}
