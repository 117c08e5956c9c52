-- Takes back finished permits and grants new ones. A request with "peek" changes nothing. KEYS[1]:
-- state, see doc.go for its fields. ARGV: prefix of the customer's keys, the request and its limits
-- as JSON.
local prefix, request, limits = ARGV[1], cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
local state_key, flying_key, peek = KEYS[1], prefix .. 'flying', request.peek
local now_us = micros()
local now, second, hour, day = math.floor(now_us / 1000), 1000, 3600000, 86400000

local state, changed, flat = {}, {}, redis.call('HGETALL', state_key)
for i = 1, #flat, 2 do state[flat[i]] = flat[i + 1] end
local function int(n) return string.format('%.0f', n) end
local function get(name) return tonumber(state[name] or '0') or 0 end
local function set(name, value)
  if type(value) == 'number' then value = int(value) end
  if state[name] ~= value then state[name], changed[name] = value, true end
end
take_over(state, set)

local serving = ''
if not peek then
  set('limits', ARGV[3])
  -- Another server may have lost the latest permits. Grant nothing until their calls have ended.
  serving = server()
  local before = request.server ~= '' and request.server or state.server or serving
  if serving ~= '' then
    if before ~= serving and state.server ~= serving then set('unknown_until', now + request.call_ms) end
    set('server', serving)
  end
  -- The call of an expired permit may have been made.
  set('returned', get('returned') + redis.call('ZREMRANGEBYSCORE', flying_key, '-inf', int(now)))
elseif limits.calls_per_second <= 0 and state.limits then
  limits = cjson.decode(state.limits) -- peek uses the limits of the last request
end
local function in_flight() return redis.call('ZCOUNT', flying_key, '(' .. int(now), '+inf') end
local function event(kind, reason, until_at)
  redis.call('XADD', prefix .. 'events', 'MAXLEN', '~', 200, '*', 'k', kind, 't', reason, 'at', int(now), 'u', int(until_at))
end
-- Calls per second, as an exponential average over five seconds.
local function recent_rate() return get('recent_rate') * math.exp(-math.max(now - get('recent_rate_at'), 0) / 5000) end

-- Windows of the day's budget. iCIMS may count the calls in flight in the new window.
local function begin_window(window_end, guessed, used)
  set('window', get('window') + 1)
  set('window_end', window_end)
  set('window_guessed', guessed and 1 or 0)
  set('foreign_before', get('foreign'))
  set('foreign', 0)
  set('used', used)
  set('exhausted_until', nil)
end
local function own() return get('used') - get('foreign') end
if get('window') == 0 then -- midnight UTC, until iCIMS reports another time
  begin_window((math.floor(now / day) + 1) * day + second, true, 0)
elseif now >= get('window_end') then
  local days = math.floor((now - get('window_end')) / day) + 1
  begin_window(get('window_end') + days * day, true, in_flight() + math.ceil(2 * recent_rate()))
end

-- correct_budget applies x-ratelimit-*. `mark` holds how many of our calls had been granted (own)
-- and returned when this call's permit was granted. A late response only gives a lower bound of the
-- used calls, not the time of the reset.
local function correct_budget(mark, limit, remaining, reset, in_time)
  if mark.window ~= get('window') then return end
  local returned_since = get('returned') - mark.returned - 1 -- not counting this one
  local at_least = limit - remaining
  local at_most = in_time and at_least + in_flight() + returned_since or math.huge
  local window_end, next_window = now + (reset + 1) * second, false
  if in_time and reset > 0 and reset * second <= day then
    next_window = get('window_guessed') == 0 and window_end > get('window_end') + 60 * second
    if next_window then
      begin_window(window_end, false, math.max(at_most, 0))
    elseif get('window_guessed') == 1 or math.abs(window_end - get('window_end')) > 2 * second then
      set('window_end', window_end)
      set('window_guessed', 0)
    end
  end
  if in_time then set('heard_at', now) end
  if remaining == 0 then set('exhausted_until', get('window_end')) end
  if limit <= 0 then return end
  set('limit', limit)
  if next_window then return end
  -- With a second user of the account, assume that iCIMS has not yet counted our later calls.
  if in_time and get('foreign') + get('foreign_before') > 0 then at_least = at_least + math.max(own() - mark.own, 0) end
  local used = math.min(math.max(get('used'), at_least), at_most)
  set('foreign', math.max(get('foreign') + used - get('used'), 0))
  set('used', used)
end

-- A verdict on the account belongs to the credentials of the call.
local my_verdict = 'verdict:' .. request.credentials
local function verdict(field)
  local reason, until_at, in_a_row, at = string.match(state[field] or '', '^([^:]*):(%d+):(%d+):(%d+)$')
  return reason, tonumber(until_at or '0'), tonumber(in_a_row or '0'), tonumber(at or '0')
end
local function set_verdict(reason, until_at, in_a_row, at)
  set(my_verdict, table.concat({reason, int(until_at), int(in_a_row), int(at)}, ':'))
end
local function doubling(first, in_a_row) return math.min(first * 2 ^ math.min(in_a_row, 11), hour) end
local function refused(reason)
  local _, until_at, in_a_row = verdict(my_verdict)
  if now < until_at then return end -- calls in flight together count as one refusal
  until_at = now + doubling(60 * second, in_a_row)
  set_verdict(reason, until_at, in_a_row + 1, now)
  event('closed', reason, until_at)
end
-- The calls per second after a 429, or nil if the limits apply. iCIMS's own limit is unknown: start at
-- half of the rate that it refused, approach 90% within half a minute, and exceed it after five minutes.
local function lowered_rate()
  local calm = math.max(now - get('rate_limited_until'), 0) / second
  local rate = get('refused_rate') * (0.9 - 0.4 * math.exp(-calm / 10)) * 2 ^ (math.max(calm - 300, 0) / 300)
  if rate > 0 and rate < limits.calls_per_second then return math.max(math.floor(rate * 100) / 100, 0.1) end
end
local function rate_limited(remaining, retry_after)
  local calm = now - get('rate_limited_until')
  local pause = retry_after * second
  if pause <= 0 or pause > day then
    if calm < 0 then return end -- calls in flight together count as one 429
    pause = nil
  end
  if calm >= 0 then
    local in_a_row = math.max(get('rate_limited_times') - math.floor(calm / (15 * second)), 0)
    pause = pause or doubling((remaining > 0 and 2 or 60) * second, in_a_row)
    set('rate_limited_times', in_a_row + 1)
    -- Without a success since the last 429, the rate is not the cause.
    if get('last_success') >= get('rate_limited_until') then
      set('refused_rate', string.format('%.2f', lowered_rate() or limits.calls_per_second))
    end
    event('closed', 'icims_rate_limited', now + pause)
  end
  set('rate_limited_until', math.max(now + pause, get('rate_limited_until')))
end
local function judge(status, remaining, retry_after)
  if status >= 200 and status < 300 then
    set('last_success', now)
    local reason, until_at, in_a_row, at = verdict(my_verdict)
    if reason and (now >= until_at or request.control) then
      set(my_verdict, nil)
      event('opened', reason, 0)
    elseif in_a_row > 0 then
      set_verdict(reason, until_at, 0, at)
    end
  elseif remaining == 0 then
    return -- only about the budget
  elseif status == 401 then
    refused('icims_credentials')
  elseif status == 1401 then -- the user may not use the API
    refused('icims_not_authorized')
  elseif (status == 403 or status == 1403) and now - get('last_success') >= 60 * second then -- otherwise only one right is missing
    refused(status == 403 and 'icims_access_denied' or 'icims_search_refused')
  elseif status == 429 then
    rate_limited(remaining, retry_after)
  end
end

-- Finished permits, and those of this request if it is repeated.
local function end_permit(id) return redis.call('ZREM', flying_key, id) == 1 end
local function refund_call() set('used', math.max(get('used') - 1, get('foreign'))) end
for i = 1, request.express + request.bulk do
  if end_permit(request.worker .. ':' .. int(request.first + i - 1)) then refund_call() end
end
for _, permit in ipairs(request.returned or {}) do
  local in_time = end_permit(permit.id)
  if in_time and permit.unused then refund_call() end
  if in_time and not permit.unused then set('returned', get('returned') + 1) end
  local window, granted, returned = string.match(permit.mark, '^(%d+):(%d+):(%d+)$')
  if window and not permit.unused and permit.remaining >= 0 then
    local mark = {window = tonumber(window), own = tonumber(granted), returned = tonumber(returned)}
    correct_budget(mark, permit.limit, permit.remaining, permit.reset, in_time)
  end
  judge(permit.status, permit.remaining, permit.retry_after)
end

local lowered = lowered_rate()
if lowered then
  limits.calls_per_second, limits.burst = lowered, 1
elseif not peek then
  set('refused_rate', nil)
end
local spacing = 1000000 / math.max(limits.calls_per_second, 1e-6) -- µs between two calls

-- The day's budget. A limit reported by iCIMS replaces an assumed one and caps a configured one.
local limit, budget = get('limit'), limits.calls_per_day
if limit > 0 and (limits.day_assumed or limit < budget) then budget = limit end
local foreign = math.max(get('foreign'), get('foreign_before'))
local function calls_left()
  if limit == 0 then return budget - own() end
  -- Twice what a second user may spend while our calls are in flight.
  local share = foreign / (foreign + math.max(own(), 1))
  local margin = foreign > 0 and 2 + math.ceil(2 * share * limits.in_flight) or 0
  return math.min(budget - own(), limit - get('used') - margin)
end
-- The reserve for express shrinks every hour and ends 15 minutes before the window.
local reserve_per_hour = budget * limits.express_reserve / 100 / 24
local time_left = get('window_end') - now
local reserve = time_left > hour / 4 and math.floor(reserve_per_hour * math.min(math.ceil(time_left / hour), 24)) or 0

-- Closures. The last one to end applies.
local closed, closed_until = nil, 0
local function close(reason, until_at)
  if until_at > now and until_at > closed_until then closed, closed_until = reason, until_at end
end
if peek and request.credentials == '' then -- without credentials, show each verdict that no success followed
  for field in pairs(state) do
    local reason, until_at, _, at = verdict(field)
    if reason and string.sub(field, 1, 8) == 'verdict:' and at >= get('last_success') then close(reason, until_at) end
  end
elseif not request.control then
  close(verdict(my_verdict))
end
if not request.control then close('redis_went_back', tonumber(redis.call('HGET', prefix .. 'c', 'creates_from') or '0')) end
close('redis_went_back', get('unknown_until'))
close('icims_rate_limited', get('rate_limited_until'))
close('icims_quota_exhausted', get('exhausted_until'))
local void = closed ~= nil -- iCIMS refuses calls: permits in hand must not be used
local function close_if_spent()
  if budget > 0 and calls_left() <= 0 then close('icims_quota_exhausted', get('window_end')) end
end
close_if_spent()

local permits, full, ask_again_us = {}, false, 0
if not peek then
  -- Half of the burst is for calls that arrive late. Express may use the other half ahead of time,
  -- bulk half of that. A slot is granted up to 100 ms early.
  local ahead_express, horizon = limits.burst - math.floor(limits.burst / 2), 100000
  local ahead_bulk = math.ceil(ahead_express / 2)
  local latest = now_us + ahead_express * spacing + horizon
  if get('next_slot_us') > latest + spacing then set('next_slot_us', latest) end -- limits or the clock changed

  -- Processes that have waited longer go first.
  local waiting, longer_waiting = 'waiting:' .. request.worker, 0
  local since = tonumber(string.match(state[waiting] or '', '^%d+') or now)
  for field, value in pairs(state) do
    if string.sub(field, 1, 8) == 'waiting:' and field ~= waiting then
      local other_since, asks_until = string.match(value, '^(%d+):(%d+)$')
      if tonumber(asks_until) < now then
        set(field, nil)
      elseif tonumber(other_since) < since and now - other_since > 250 + 2 * spacing / 1000 then
        longer_waiting = longer_waiting + 1
      end
    end
  end
  -- Only one call at a time in a window that iCIMS has not confirmed, or if iCIMS has not reported
  -- its count for a minute and there is a second user.
  local unconfirmed = limit > 0 and (get('window_guessed') == 1 or foreign > 0 and now - get('heard_at') > 60 * second)
  local room = (unconfirmed and 1 or limits.in_flight) - in_flight() - longer_waiting

  -- grant adds a permit, or returns what is missing.
  local function grant(kind, ahead)
    local left = calls_left() - (kind == 'bulk' and reserve or 0)
    if closed or left <= 0 then return 'budget' end
    if room <= 0 then return 'room' end
    local slot = math.max(now_us, get('next_slot_us') - (ahead - 1) * spacing)
    local early = slot + longer_waiting * spacing - now_us - horizon
    if early > 0 then
      ask_again_us = math.max(early, horizon / 2)
      return 'slot'
    end
    set('next_slot_us', math.max(get('next_slot_us'), slot) + spacing)
    set('used', get('used') + 1)
    room = room - 1
    local id = request.worker .. ':' .. int(request.first + #permits)
    redis.call('ZADD', flying_key, int(slot / 1000 + request.hold_ms), id)
    local mark = table.concat({int(get('window')), int(own()), int(get('returned'))}, ':')
    permits[#permits + 1] = {express = kind == 'express', after_us = slot - now_us, mark = mark}
    set('express_in_a_row', kind == 'bulk' and 0 or get('express_in_a_row') + 1)
  end
  -- Express goes first, but every tenth permit is for bulk.
  local wanted, lacks = {express = request.express, bulk = request.bulk}, {}
  local function open(kind) return wanted[kind] > 0 and not lacks[kind] end
  while open('express') or open('bulk') do
    local bulk_next = get('express_in_a_row') >= 9
    local kind = open('bulk') and (bulk_next or not open('express')) and 'bulk' or 'express'
    lacks[kind] = grant(kind, (kind == 'bulk' and not bulk_next) and ahead_bulk or ahead_express)
    if not lacks[kind] then wanted[kind] = wanted[kind] - 1 end
  end
  if #permits > 0 then
    set('recent_rate', string.format('%.4f', recent_rate() + #permits / 5))
    set('recent_rate_at', now)
  end
  full = lacks.express == 'room' or lacks.bulk == 'room'
  if full then ask_again_us = horizon end
  local waits = full or lacks.express == 'slot' or lacks.bulk == 'slot'
  if #permits > 0 then since = now end
  set(waiting, waits and int(since) .. ':' .. int(now + ask_again_us / 1000 + 250) or nil)

  close_if_spent()
  if closed == 'icims_quota_exhausted' and get('exhaustion_told') ~= get('window') then
    set('exhaustion_told', get('window'))
    event('closed', closed, closed_until)
  end
  for field in pairs(changed) do
    if state[field] then redis.call('HSET', state_key, field, state[field]) else redis.call('HDEL', state_key, field) end
  end
  redis.call('PEXPIRE', state_key, 8 * day)
end

-- Bulk waits until the reserve has shrunk below what is left.
local left = calls_left()
local bulk_closed, bulk_until = closed, closed_until
if budget > 0 and left > 0 and left <= reserve then
  local hours = math.ceil(left / reserve_per_hour) - 1
  local at = get('window_end') - math.max(hours * hour, hour / 4)
  if at > bulk_until then bulk_closed, bulk_until = 'icims_quota_exhausted', at end
end
local function span(at) return math.max(at - now, 0) end
local paused_until = tonumber(redis.call('HGET', prefix .. 'pause', 'until') or '-1') -- 0: until resumed
return cjson.encode({
  server = serving,
  permits = #permits > 0 and permits or nil, full = full, ask_again_us = ask_again_us, void = void,
  closed = bulk_closed and {reason = bulk_closed, for_ms = span(bulk_until)} or nil,
  closed_express = closed and {reason = closed, for_ms = span(closed_until)} or nil,
  paused = paused_until == 0 or paused_until > now, paused_for_ms = span(paused_until),
  succeeded = get('last_success') > 0, last_success_age_ms = now - get('last_success'),
  budget = budget, left = math.max(left, 0), reserve = reserve, own = own(), foreign = get('foreign'),
  window_end = get('window_end'), window_ms = span(get('window_end')),
  in_flight = in_flight(), recent_rate = recent_rate(), limits = limits, lowered = lowered ~= nil,
})
