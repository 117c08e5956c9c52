-- A worker's heartbeat that detects whether Redis lost writes. A repeated heartbeat, whose reply
-- was lost, finds the number it wrote itself. KEYS[1]: state of Redis. ARGV: worker, value of its
-- last heartbeat ('' for the first), the epoch it knows, settle ms. Returns the value of this
-- heartbeat, the server, the epoch, all fields, and '1' if this heartbeat detected the loss.
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
  -- With a heartbeat of any worker left, the ledger was not emptied.
  loss = r.beat and 'went_back' or 'emptied'
  local last = tonumber(string.match(r[field] or '', ' (%d+)$') or r.beat or left)
  if last < tonumber(left) then lost = int(tonumber(left) - last) end
elseif r.server and id ~= '' and r.server ~= id then
  loss = 'possible'
end

local noticed = false
-- If the epoch is newer than the one this worker knows, another worker has recorded the loss.
if loss and (loss == 'possible' or epoch <= known) then
  noticed = true
  epoch = math.max(t + tonumber(ARGV[4]), known + 1, epoch + 1)
  put('creates_from', int(epoch), 'loss', loss, 'loss_at', int(t), 'lost', lost)
elseif loss and loss ~= 'possible' and r.loss == 'possible' then
  -- Another worker has only noticed that another server answers.
  put('loss', loss, 'lost', lost)
end
local beat = int(tonumber(count or '0') + 1) .. ' ' .. int(t)
put(field, beat, 'beat', int(t), 'server', id ~= '' and id or r.server or '')
for name, value in pairs(r) do
  -- Remove workers that crashed more than a day ago.
  local at = string.sub(name, 1, 5) == 'beat:' and tonumber(string.match(value, ' (%d+)$') or '0')
  if at and t - at > 86400000 then redis.call('HDEL', key, name) end
end
flat = {}
for name, value in pairs(r) do
  flat[#flat + 1], flat[#flat + 2] = name, value
end
return {beat, id, int(epoch), flat, noticed and '1' or '0'}
