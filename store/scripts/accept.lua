-- Accepts a chunk of exports.
-- KEYS[1]: batch.
-- ARGV: prefix, '', batch, ms until a task must exist, queue ('': the default), IDs of the caller's
-- sealing keys (4 bytes each), the customer's limit of waiting candidates (0: none), number of input
-- rows before this chunk, digests of its rows, including refused ones ('': do not compare rows);
-- then per export: id, candidate, email hash, payload, input row (0: none).
-- Returns per export: 'new|row'; the state of an existing export, 'queued|row|queue' if it has not
-- started; 'stopped' if the batch was canceled; 'full' if the customer's limit is reached.
-- Accepts nothing if rows differ from an earlier submission: {'conflict', 'row', which} |
-- {'conflict', 'more', rows of the complete batch} | {'lost'}.
local batch, t, answers, added, met = ARGV[3], now(), {}, 0, false
local before, digests = tonumber(ARGV[8]), ARGV[9]
local rows, differs
if digests ~= '' then
  rows, differs = compare_rows(KEYS[1], before, digests)
  if differs then return differs end
end
-- The digests end before the first row without room: the producer may send another row in its
-- place.
local upto = before + #digests / digest_size
-- Where the distance between input rows and positions changes; '?' if it is unknown, for example
-- after too many changes.
local shifts, shifted = redis.call('HGET', KEYS[1], 'sh') or '', false
local last = string.match(shifts, ':([^:]+)$') or '0'
local function shift(place, row)
  local by = row > 0 and #shifts < 8000 and int(row - place) or '?'
  if by == last then return end
  shifts = (shifts == '' and '' or shifts .. ',') .. int(place) .. ':' .. by
  last, shifted = by, true
end
local stopped = redis.call('HEXISTS', KEYS[1], 'stopped') == 1
local room = redis.call('HEXISTS', KEYS[1], 'test') == 1 and math.huge or room_for(ARGV[7])
-- opens reports whether the caller's keyset may have sealed a value.
local function opens(head)
  if #head < 5 then return false end
  for at = 1, #ARGV[6], 4 do
    if string.sub(ARGV[6], at, at + 3) == string.sub(head, 2, 5) then return true end
  end
  return false
end
-- restore replaces a payload that is missing or sealed with a lost key. It does not change an
-- export that is being worked on, or the email of one with an unconfirmed write.
local function restore(id, hash, sealed)
  local rec, payload = prefix .. 'x:' .. id, prefix .. 'p:' .. id
  local r = redis.call('HMGET', rec, 'st', 'in', 'eh')
  local waits = r[1] == 'queued' or r[1] == 'deferred' or r[1] == 'retrying' or r[1] == 'unknown' or r[1] == 'dead'
  if not waits or opens(redis.call('GETRANGE', payload, 0, 4)) or (r[2] and r[3] ~= hash) then return end
  redis.call('SET', payload, sealed)
  redis.call('HSET', rec, 'eh', hash)
  redis.call('HDEL', rec, 'fa')
end
for i = 10, #ARGV, 5 do
  local id = ARGV[i]
  local rec = prefix .. 'x:' .. id
  local state = redis.call('HGET', rec, 'st')
  if not state then
    local outcome = redis.call('HGET', outcome_place(batch, id), id)
    state = outcome and string.match(outcome, '^[^|]*')
  end
  if state then
    local place = state == 'queued' and redis.call('HMGET', rec, 'r', 'queue')
    answers[#answers + 1], met = place and state .. '|' .. place[1] .. '|' .. (place[2] or '') or state, true
    restore(id, ARGV[i + 2], ARGV[i + 3])
  elseif stopped or added >= room then
    answers[#answers + 1] = stopped and 'stopped' or 'full'
    upto = math.min(upto, tonumber(ARGV[i + 4]) - 1)
  else
    local row = redis.call('RPUSH', prefix .. 'b:' .. batch .. ':r', id) - 1
    redis.call('HSET', rec, 'st', 'queued', 'b', batch, 'r', int(row), 'c', ARGV[i + 1], 'eh', ARGV[i + 2], 'q', int(t))
    if ARGV[5] ~= '' then redis.call('HSET', rec, 'queue', ARGV[5]) end
    due(id, t + tonumber(ARGV[4]))
    redis.call('SET', prefix .. 'p:' .. id, ARGV[i + 3])
    shift(row + 1, tonumber(ARGV[i + 4]))
    added = added + 1
    answers[#answers + 1] = 'new|' .. int(row)
  end
end
if digests ~= '' and upto > rows then
  redis.call('APPEND', KEYS[1] .. ':digests', string.sub(digests, (rows - before) * digest_size + 1, (upto - before) * digest_size))
end
if shifted then redis.call('HSET', KEYS[1], 'sh', shifts) end
-- The producer is active: sweep_batches must leave the batch open.
if met or added > 0 then redis.call('HSET', KEYS[1], 'last_accepted', int(t)) end
if added > 0 then
  redis.call('HINCRBY', KEYS[1], 'accepted', added)
  keep_batch(KEYS[1])
  redis.call('HDEL', KEYS[1], 'ended')
  if redis.call('HEXISTS', KEYS[1], 'closed') == 1 then redis.call('HSET', KEYS[1], 'more', '1') end
  count('live', added)
end
return answers
