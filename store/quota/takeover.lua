-- Converts the state of an earlier version, whose fields had short names. Fields that are not
-- renamed were only used by its processes.
local renamed = {
  tat = 'next_slot_us', w = 'window_end', wg = 'window_guessed', wn = 'window', l = 'limit', lh = 'heard_at', pf = 'foreign_before',
  qu = 'exhausted_until', qe = 'exhaustion_told', ru = 'rate_limited_until', rn = 'rate_limited_times', lg = 'last_success',
  rc = 'returned', xs = 'express_in_a_row',
}
local dropped = {own = true, fo = true, sp = true, ra = true, rt = true, cfg = true}
local function take_over(state, set)
  if not state.wn then return end
  local old = {}
  for field, value in pairs(state) do old[field] = value end
  -- A running process of the old version counts its calls separately.
  set('used', (tonumber(old.used) or 0) + (tonumber(old.own) or 0) + (tonumber(old.fo) or 0))
  set('foreign', (tonumber(old.foreign) or 0) + (tonumber(old.fo) or 0))
  for field, value in pairs(old) do
    local name = renamed[field] or string.gsub(field, '^v:', 'verdict:')
    if name ~= field or dropped[field] or string.sub(field, 1, 2) == 'q:' then
      if name ~= field and not old[name] then set(name, value) end
      set(field, nil)
    end
  end
  local rate, burst, in_flight, per_day, assumed, share = string.match(old.cfg or '', '^([^:]+):(%d+):(%d+):(%d+):(%d):(%d+)$')
  if rate and not old.limits then
    set('limits', cjson.encode({
      calls_per_second = tonumber(rate), burst = tonumber(burst), in_flight = tonumber(in_flight), calls_per_day = tonumber(per_day),
      day_assumed = assumed == '1', express_reserve = tonumber(share),
    }))
  end
end
