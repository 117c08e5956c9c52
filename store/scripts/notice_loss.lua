-- A worker's beat that finds out whether Redis went back. KEYS[1] what is known of Redis.
-- ARGV: worker, what its last beat left ('' before the first), the epoch it knows,
-- settle ms. Returns what this beat leaves, the server, the epoch, all fields, and 1
-- where this beat noticed the loss. A beat that is repeated, because its answer was
-- lost, finds the number that it left itself.
local t, key, field = now(), KEYS[1], 'beat:' .. ARGV[1]
local function int(n) return string.format('%.0f', n) end
local r, flat = {}, redis.call('HGETALL', key)
for i = 1, #flat, 2 do r[flat[i]] = flat[i + 1] end
local function put(...)
  redis.call('HSET', key, ...)
  local set = {...}
  for i = 1, #set, 2 do r[set[i]] = set[i + 1] end
end
local id, epoch, known = server(), tonumber(r.creates_from or '0'), tonumber(ARGV[3])
local count, left = string.match(ARGV[2], '^(%d+) (%d+)$')

local loss, lost = nil, ''
local stored = tonumber(string.match(r[field] or '', '^(%d+) ') or '0')
if count and (stored < tonumber(count) or epoch < known) then
  -- Nobody has beaten since Redis went back, or it was told already.
  loss = r.beat and 'went_back' or 'emptied'
  local last = tonumber(string.match(r[field] or '', ' (%d+)$') or r.beat or left)
  if last < tonumber(left) then lost = int(tonumber(left) - last) end
elseif r.server and id ~= '' and r.server ~= id then
  loss = 'possible'
end

local noticed = false
-- A worker that knows of an earlier loss only would not notice one that others told of; a
-- server that nobody has beaten at was noticed by nobody.
if loss and (loss == 'possible' or epoch <= known) then
  noticed = true
  epoch = math.max(t + tonumber(ARGV[4]), known + 1, epoch + 1)
  put('creates_from', int(epoch), 'loss', loss, 'loss_at', int(t), 'lost', lost)
elseif loss and loss ~= 'possible' and r.loss == 'possible' then
  -- Another worker has only seen that another server answers.
  put('loss', loss, 'lost', lost)
end
local beat = int(tonumber(count or '0') + 1) .. ' ' .. int(t)
put(field, beat, 'beat', int(t), 'server', id ~= '' and id or r.server or '')
for name, value in pairs(r) do
  -- Of workers that ended without a word a day ago.
  local at = string.sub(name, 1, 5) == 'beat:' and tonumber(string.match(value, ' (%d+)$') or '0')
  if at and t - at > 86400000 then redis.call('HDEL', key, name) end
end
flat = {}
for name, value in pairs(r) do
  flat[#flat + 1], flat[#flat + 2] = name, value
end
return {beat, id, int(epoch), flat, noticed and '1' or '0'}
