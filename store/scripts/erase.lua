-- Erases a candidate's data. An export that may be in the middle of a write stays unchanged,
-- together with the marker, since its end would set the marker again. KEYS[1]: bucket of the
-- candidate's marker. ARGV: prefix, '', candidate, retention s, ms after which a write has settled,
-- s for which the email's person stays known at most; then the candidate's exports: batch, id.
-- Returns {'ok', canceled, dead letters, ended, marker 0|1, people, busy}; busy alternates id and
-- state.
local candidate, retention, settle, stays, t = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), now()
local cancelled, letters, ended, busy, people, seen = 0, 0, 0, {}, {}, {}

local function add_person(person)
  if person and person ~= '' and not seen[person] then
    seen[person] = true
    people[#people + 1] = person
  end
end

local function may_end(r)
  if r.st == 'dead' then return not r['in'] or tonumber(r.ia or '0') + settle <= t end
  return not r['in'] and legal(r.st, 'cancelled')
end

-- limit_known limits how long the person of an email stays known.
local function limit_known(hash)
  local key = prefix .. 'k:' .. hash
  if redis.call('TTL', key) > stays then redis.call('EXPIRE', key, ARGV[6]) end
end

-- forget_sent deletes the digests of what a finished export sent.
local function forget_sent(seconds)
  local key = sent_place(seconds)
  for _, entry in ipairs(redis.call('LRANGE', key, 0, -1)) do
    if string.sub(entry, 1, #export + 1) == export .. '|' then redis.call('LREM', key, 0, entry) end
  end
end

for i = 7, #ARGV, 2 do
  local batch, key = ARGV[i], prefix .. 'x:' .. ARGV[i + 1]
  export = ARGV[i + 1] -- for release_locks
  local r, place, batch_key = fields(key), outcome_place(batch, export), prefix .. 'b:' .. batch
  local line = redis.call('HGET', place, export)
  if r.st and not may_end(r) then
    busy[#busy + 1], busy[#busy + 2] = export, r.st
    add_person(r.pe)
  elseif r.st then
    add_person(r.pe)
    write_outcome(batch, export, 'cancelled|cancelled|erased|||' .. int(math.floor(t / 1000)) .. '||')
    redis.call('DEL', key, prefix .. 'p:' .. export, prefix .. 's:' .. export, prefix .. 'words:' .. export)
    redis.call('ZREM', prefix .. 'due', export)
    redis.call('ZREM', prefix .. 'begun', export)
    if r.st == 'dead' then leave_dead(export, r) else note_profile(batch_key, r, 1) end
    release_locks(r)
    if r.eh and r.eh ~= '' then limit_known(r.eh) end
    if r.st == 'dead' then
      letters = letters + 1
      tally(batch_key, 'dead', r.rs or '', -1)
    else
      cancelled = cancelled + 1
      count('live', -1)
    end
    tally(batch_key, 'cancelled', 'erased', 1)
    end_batch(batch_key, t, retention)
  elseif line then
    local state, counter, reason, person, seconds = string.match(line, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|[^|]*|([^|]*)|')
    if reason ~= 'erased' then
      ended = ended + 1
      add_person(person)
      if tonumber(seconds) then forget_sent(seconds) end
      -- The line stays: submitting the batch again must not restore the candidate.
      redis.call('HSET', place, export, state .. '|' .. counter .. '|erased|||' .. seconds .. '||')
      if redis.call('EXISTS', batch_key) == 1 then
        count_reason(batch_key, counter, reason, -1)
        count_reason(batch_key, counter, 'erased', 1)
      end
    end
    redis.call('DEL', prefix .. 's:' .. export)
    redis.call('SREM', batch_key .. ':s', export)
  end
end

local _, field = marker_place(candidate)
local marker = redis.call('HGET', KEYS[1], field)
if marker then add_person(string.match(marker, '^%d+')) end
local erased = 0
if #busy == 0 then erased = redis.call('HDEL', KEYS[1], field) end
return {'ok', int(cancelled), int(letters), int(ended), int(erased), people, busy}
