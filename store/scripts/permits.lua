-- Permits for calls to one customer's iCIMS: takes back those that are over and
-- gives new ones, or without a worker only tells how the customer stands. What the
-- fields of the state mean is in permits.go.
local errand, worker, credentials = ARGV[2] == 'errand', ARGV[3], ARGV[4]
local per_second, burst, in_flight = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local per_day, assumed, share = tonumber(ARGV[8]), ARGV[9] == '1', tonumber(ARGV[10])
local hold, first, express, bulk = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
local limits, flying = prefix .. 'limits', prefix .. 'flying'
local peek = worker == ''
local us = micros()
local ms = math.floor(us / 1000)
local hour, day = 3600000, 86400000

local s, changed = fields(limits), {}
local function num(name) return tonumber(s[name] or '0') or 0 end
local function set(name, value)
  if type(value) == 'number' then value = int(value) end
  if s[name] ~= value then s[name], changed[name] = value, true end
end
local function unset(name)
  if s[name] then s[name], changed[name] = nil, true end
end

-- An onlooker without limits of its own goes by those that were in force last.
local config = table.concat({ARGV[5], burst, in_flight, per_day, ARGV[9], share}, ':')
if peek and per_second <= 0 then
  local c = {string.match(s.cfg or '', '^([^:]+):(%d+):(%d+):(%d+):(%d):(%d+)$')}
  per_second, burst, in_flight = tonumber(c[1] or '0'), tonumber(c[2] or '1'), tonumber(c[3] or '1')
  per_day, assumed, share = tonumber(c[4] or '0'), c[5] == '1', tonumber(c[6] or '0')
elseif not peek then
  set('cfg', config)
end
local spacing = 1000000 / math.max(per_second, 1e-6)

local function event(kind, words, till)
  redis.call('XADD', prefix .. 'events', 'MAXLEN', '~', 200, '*', 'k', kind, 't', words, 'at', int(ms), 'u', int(till))
end

if not peek then redis.call('ZREMRANGEBYSCORE', flying, '-inf', int(ms)) end
local function in_air() return redis.call('ZCOUNT', flying, '(' .. int(ms), '+inf') end

-- How many calls a second were granted lately: an average that fades in five
-- seconds.
local fade = 5
local function rate_now()
  local age = math.max(us - num('rt'), 0) / 1000000
  return num('ra') * math.exp(-age / fade)
end

-- A window is what a day's budget is for. One that begins counts what is in the
-- air, and what may have come in after iCIMS's own reset, which is a moment ago.
local function begin_window(ends, guessed, used)
  set('pf', num('fo'))
  set('own', used)
  set('fo', 0)
  set('w', ends)
  set('wg', guessed and 1 or 0)
  set('wn', num('wn') + 1)
  unset('qu')
  unset('qe')
  if not peek then redis.call('EXPIRE', limits, 8 * 86400) end
end
if num('w') == 0 then
  -- Midnight UTC, until iCIMS tells another hour.
  begin_window((math.floor(ms / day) + 1) * day + 1000, true, 0)
elseif ms >= num('w') then
  local missed = math.floor((ms - num('w')) / day)
  begin_window(num('w') + (missed + 1) * day, true, in_air() + math.ceil(2 * rate_now()))
end

-- learn takes what iCIMS says of the day's budget in the answer to a permit that
-- was the own'th of its window and was given when `rc` had come back.
local function learn(rc, wn, own, limit, remaining, reset)
  if wn ~= num('wn') then return end -- of the window before
  local fresh = false
  if reset > 0 and reset <= 86400 then
    local ends = ms + reset * 1000 + 1000
    if num('wg') == 1 then
      set('w', ends)
      set('wg', 0)
    elseif ends > num('w') + 60000 then
      fresh = true
      begin_window(ends, false, math.max(limit - remaining, 0) + in_air() + num('rc') - rc)
    elseif math.abs(ends - num('w')) > 2000 then
      set('w', ends)
    end
  end
  if limit > 0 then set('l', limit) end
  set('lh', ms)
  -- Calls that were in flight then may have been counted before: they open nothing.
  if remaining == 0 then set('qu', num('w')) end
  if limit <= 0 or fresh then return end
  -- All calls of ours that iCIMS can have counted are our own: the rest is others'.
  -- That others exist is believed when it is sure, their number then as it seems.
  local used = limit - remaining
  local sure = used - num('own')
  if num('fo') > 0 or num('pf') > 0 then sure = math.max(sure, used - own) end
  set('fo', math.max(num('fo'), sure))
  -- What may have been counted after this call bounds the estimate from above.
  local most = used + in_air() + num('rc') - rc
  local over = num('own') + num('fo') - most
  if over > 0 then
    local less = math.min(over, num('fo'))
    set('fo', num('fo') - less)
    set('own', math.max(num('own') - (over - less), 0))
  end
end

-- Verdicts on the account are about one user name and password: other ones have a
-- field of their own. A pause doubles with each verdict in a row, up to an hour.
local v = 'v:' .. credentials
local function verdict_of(field)
  local reason, till, row, at = string.match(s[field] or '', '^([^:]*):(%d+):(%d+):(%d+)$')
  return reason or '', tonumber(till or '0'), tonumber(row or '0'), tonumber(at or '0')
end
local function doubling(row, first) return math.min((first or 60000) * 2 ^ math.min(row, 11), hour) end
local function refuse(reason)
  local _, till, row = verdict_of(v)
  if ms < till then return end -- calls that were in the air together are one refusal
  till = ms + doubling(row)
  set(v, reason .. ':' .. int(till) .. ':' .. int(row + 1) .. ':' .. int(ms))
  event('closed', reason, till)
end
local function slow_down(till)
  if till <= num('ru') then return end
  if ms >= num('ru') then event('closed', 'icims_rate_limited', till) end
  set('ru', till)
end

-- judge takes what an answer says about the account. While calls succeed, a 403 is
-- about one right.
local function judge(status, remaining, retry)
  if status >= 200 and status < 300 then
    set('lg', ms)
    unset('rn')
    local reason, till, row, at = verdict_of(v)
    -- An errand's call was made in spite of the verdict, so after it.
    if reason ~= '' and (ms >= till or errand) then
      unset(v)
      event('opened', reason, 0)
    elseif row > 0 then
      set(v, reason .. ':' .. int(till) .. ':0:' .. int(at))
    end
  elseif remaining == 0 then
    return
  elseif status == 401 then
    refuse('icims_credentials')
  elseif status == 1401 then -- the user may not use the API at all
    refuse('icims_not_authorized')
  elseif status == 403 and ms - num('lg') >= 60000 then
    refuse('icims_access_denied')
  elseif status == 429 and retry > 0 and retry <= 86400 then
    slow_down(ms + retry * 1000)
  elseif status == 429 and ms >= num('ru') then
    -- With calls left, it is about the rate, which is soon mended.
    slow_down(ms + doubling(num('rn'), remaining > 0 and 2000))
    set('rn', num('rn') + 1)
  end
end

-- Half of the burst is left for calls that come later than their slot: half of that
-- for a process that is slow, which gives up what is later (Limits.Lateness).
local late = math.min(math.max(math.floor(burst / 2) * spacing / 2, 20000), 5000000)
local spare = {}
local function keep(slot)
  if slot and tonumber(slot) + late / 2 > us then spare[#spare + 1] = tonumber(slot) end
end
for slot in string.gmatch(s.sp or '', '[^,]+') do keep(slot) end

-- What is repeated, because its answer was lost, gives back first.
local asked, since, again_at = string.match(s['q:' .. worker] or '', '^(%d+):(%d+):(%d+)$')
asked, since = tonumber(asked or '0'), tonumber(since or '0')
if not peek and first < asked then return {'stale'} end
if not peek and first == asked then
  for i = 0, express + bulk - 1 do
    if redis.call('ZREM', flying, worker .. ':' .. int(first + i)) == 1 then set('own', math.max(num('own') - 1, 0)) end
  end
end

for i = 15, #ARGV, 7 do
  local id, status = ARGV[i], tonumber(ARGV[i + 2])
  local limit, remaining, reset, retry = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6])
  if redis.call('ZREM', flying, id) == 1 then
    local rc, wn, own, slot = string.match(ARGV[i + 1], '^(%d+):(%d+):(%d+):(%d+)$')
    if status < 0 then -- not used
      if not wn or tonumber(wn) == num('wn') then set('own', math.max(num('own') - 1, 0)) end
      keep(slot)
    else
      set('rc', num('rc') + 1)
      -- Its own return is not one that may have been counted after it.
      if remaining >= 0 and rc then learn(tonumber(rc) + 1, tonumber(wn), tonumber(own), limit, remaining, reset) end
    end
  end
  -- Below -1: no call was made, since a token was refused with that status.
  if status >= 0 then judge(status, remaining, retry) elseif status < -1 then judge(-status, -1, 0) end
end
table.sort(spare)

-- The budget: own calls up to the connection's number, and all calls up to
-- iCIMS's. A limit that iCIMS tells takes the place of an assumed one.
local seen = num('l')
local cap = per_day
if seen > 0 and (assumed or seen < cap) then cap = seen end
local others = num('fo') > 0 or num('pf') > 0
local function left()
  local n = cap - num('own')
  if seen > 0 then
    local margin = 0
    if others then
      local fo, own = math.max(num('fo'), num('pf')), math.max(num('own'), 1)
      margin = 2 + math.ceil(2 * fo / (fo + own) * in_flight)
    end
    n = math.min(n, seen - num('fo') - num('own') - margin)
  end
  return n
end
-- Part of it is kept for express, less with each hour, so that nothing is left
-- over at the reset.
local function kept(hours) return math.floor(cap * share / 100 * hours / 24) end
local to_come = num('w') - ms
local hours = to_come > hour / 4 and math.ceil(to_come / hour) or 0
local reserve = kept(math.min(hours, 24))

-- closures
local closed, till = '', 0
local function close(reason, at)
  if at > ms and at > till then closed, till = reason, at end
end
if peek and credentials == '' then
  -- Verdicts that no success has followed.
  for name in pairs(s) do
    if string.sub(name, 1, 2) == 'v:' then
      local reason, at, _, since_when = verdict_of(name)
      if since_when >= num('lg') then close(reason, at) end
    end
  end
elseif not errand then
  local reason, at = verdict_of(v)
  close(reason, at)
end
if not errand then
  close('redis_went_back', tonumber(redis.call('HGET', prefix .. 'c', 'creates_from') or '0'))
end
close('icims_rate_limited', num('ru'))
close('icims_quota_exhausted', num('qu'))
-- iCIMS itself said no, so that permits in hand are not to be used either.
local told = till > ms
local known = per_day > 0
local function spent() if known and left() <= 0 then close('icims_quota_exhausted', num('w')) end end
spent()
local held, held_till = '', 0 -- for bulk
local function hold_bulk()
  held, held_till = closed, till
  local n = left()
  if not known or n - reserve > 0 or closed == 'icims_quota_exhausted' then return end
  local h = hours
  while h > 0 and n - kept(h) <= 0 do h = h - 1 end
  local at = num('w') - math.max(h * hour, hour / 4)
  if at > held_till then held, held_till = 'icims_quota_exhausted', at end
end

local answer = {}
local again, full = 0, false
if not peek then
  -- How many slots may be used ahead of time: by express and by bulk.
  local ahead_x = burst - math.floor(burst / 2)
  local ahead_b = math.ceil(ahead_x / 2)
  local horizon = math.min(spacing, 100000) + 20000
  local tat = num('tat')
  -- As after a change of limits, or of Redis's clock.
  if tat > us + (ahead_x + 2) * spacing + 20000 then tat = us + ahead_x * spacing end
  if #spare > 0 and spare[#spare] > us + horizon + burst * spacing then spare = {} end

  -- Other processes that want permits, and those that have waited for longer than
  -- this one, and for long.
  local waiting, starving = 1, 0
  local mine = since > 0 and since or ms
  for name, value in pairs(s) do
    if string.sub(name, 1, 2) == 'q:' and name ~= 'q:' .. worker then
      local _, theirs, next_ask = string.match(value, '^(%d+):(%d+):(%d+)$')
      theirs, next_ask = tonumber(theirs or '0'), tonumber(next_ask or '0')
      if theirs > 0 and ms <= next_ask then
        waiting = waiting + 1
        if theirs < mine and ms - theirs > 250 + 2 * spacing / 1000 then starving = starving + 1 end
      elseif next_ask < ms - 600000 then
        unset(name)
      end
    end
  end

  local room = in_flight
  -- Of others who spend the same budget nothing was heard for a while: one call
  -- asks for all.
  if others and ms - num('lh') > 60000 then room = 1 end
  room = room - in_air() - starving

  local granted, adds, got = 0, {}, {0, 0}
  local xs = num('xs')
  -- take gives one permit, or returns what it lacks: '', 'closed', 'full' or 'slot'.
  local function take(ahead, is_bulk)
    if till > ms then return 'closed' end
    local n = left()
    if n <= 0 or is_bulk and n - reserve <= 0 then return 'closed' end
    if room <= 0 then return 'full' end
    local slot = math.max(us, tat - (ahead - 1) * spacing)
    if spare[1] and spare[1] <= slot then
      slot = table.remove(spare, 1)
    else
      local early = slot + starving * spacing - us - horizon
      if early > 0 then
        if again == 0 or early < again then again = early end
        return 'slot'
      end
      tat = math.max(tat, slot) + spacing
    end
    room, granted = room - 1, granted + 1
    set('own', num('own') + 1)
    adds[#adds + 1] = int(math.max(slot, us) / 1000 + hold)
    adds[#adds + 1] = worker .. ':' .. int(first + granted - 1)
    local mark = int(num('rc')) .. ':' .. int(num('wn')) .. ':' .. int(num('own')) .. ':' .. int(slot)
    answer[#answer + 1] = is_bulk and '0' or '1'
    answer[#answer + 1] = int(slot - us)
    answer[#answer + 1] = mark
    xs = is_bulk and 0 or xs + 1
    return ''
  end
  -- Express goes first, and uses more of the burst. Of ten permits bulk gets one
  -- all the same.
  local lacks = {}
  while got[1] < express or got[2] < bulk do
    local is_bulk = got[1] >= express or lacks.x ~= nil or (xs >= 9 and got[2] < bulk and not lacks.b)
    if is_bulk and (got[2] >= bulk or lacks.b) then break end
    local lack = take((is_bulk and xs < 9) and ahead_b or ahead_x, is_bulk)
    if lack ~= '' then
      if is_bulk then lacks.b = lack else lacks.x = lack end
    else
      local i = is_bulk and 2 or 1
      got[i] = got[i] + 1
    end
  end
  set('xs', xs)
  set('tat', tat)
  set('sp', table.concat((function()
    local list = {}
    for i = 1, math.min(#spare, 32) do list[i] = int(spare[i]) end
    return list
  end)(), ','))
  if granted > 0 then
    redis.call('ZADD', flying, unpack(adds))
    set('ra', string.format('%.4f', rate_now() + granted / fade))
    set('rt', us)
  end
  spent()
  if till > ms and closed == 'icims_quota_exhausted' and s.qe ~= s.wn then
    set('qe', num('wn'))
    event('closed', closed, till)
  end
  full = lacks.x == 'full' or lacks.b == 'full'
  if again > 0 then
    -- Not for each slot by itself, but before one is lost.
    again = math.max(again, math.min(10000 * waiting, horizon + (ahead_b - 1) * spacing - 10000), 1000)
  end
  -- Whoever has permits in flight asks when they come back, and else three times
  -- less often (worker/permits.go).
  local rest = 50000 * math.min(waiting, 3)
  if full and (again == 0 or again > rest) then again = rest end
  local wants = full or lacks.x == 'slot' or lacks.b == 'slot'
  since = wants and ((granted > 0 or since == 0) and ms or since) or 0
  set('q:' .. worker, int(first) .. ':' .. int(since) .. ':' .. int(ms + (full and 3 or 1) * again / 1000 + 150))

  local writes, drops = {}, {}
  for name in pairs(changed) do
    if s[name] then
      writes[#writes + 1] = name
      writes[#writes + 1] = s[name]
    else
      drops[#drops + 1] = name
    end
  end
  if #writes > 0 then redis.call('HSET', limits, unpack(writes)) end
  if #drops > 0 then redis.call('HDEL', limits, unpack(drops)) end
end
hold_bulk()

local function span(at) return int(math.max(at - ms, 0)) end
local pause_till, paused = redis.call('HGET', prefix .. 'pause', 'until'), '-'
if pause_till == '0' then
  paused = '0'
elseif pause_till and tonumber(pause_till) > ms then
  paused = span(tonumber(pause_till))
end
local good = num('lg') > 0 and int(ms - num('lg')) or '-'
local spare_calls = left()
local function calls_left(reserved) return known and int(math.max(spare_calls - reserved, 0)) or '-' end
local head = {'ok', int(again), full and '1' or '0', held, span(held_till), closed, span(till), paused, good, calls_left(reserve), calls_left(0), told and '1' or '0'}
if not peek then
  for i = 1, #answer do head[#head + 1] = answer[i] end
  return head
end
head[#head + 1] = int(num('own'))
head[#head + 1] = int(num('fo'))
head[#head + 1] = int(cap)
head[#head + 1] = int(math.max(spare_calls, 0))
head[#head + 1] = int(reserve)
head[#head + 1] = span(num('w'))
head[#head + 1] = int(in_air())
head[#head + 1] = string.format('%.3f', rate_now())
head[#head + 1] = string.format('%.17g', per_second)
head[#head + 1] = int(in_flight)
head[#head + 1] = redis.call('HGETALL', prefix .. 'pause')
head[#head + 1] = redis.call('HGETALL', prefix .. 'breakers')
head[#head + 1] = int(num('w'))
return head
