-- Adds up the counters of all batches of a customer, consistent with the customer's own counters.
-- KEYS[1]: counters of the customer. ARGV: prefix.
-- Returns {live, illegal, due, dead; sums over the batches: live, dead}.
local prefix = ARGV[1]
local function int(n) return string.format('%.0f', n or 0) end
local c = redis.call('HMGET', KEYS[1], 'live', 'illegal')
local moving, died, page = 0, 0, 500
for _, list in ipairs({'batches', 'tests'}) do
  local from, batches = 0, nil
  repeat
    batches = redis.call('ZRANGE', prefix .. list, from, from + page - 1)
    for _, batch in ipairs(batches) do
      local n = redis.call('HMGET', prefix .. 'b:' .. batch, 'accepted', 'n:dead', 'n:created', 'n:updated', 'n:skipped', 'n:cancelled')
      for i = 1, 6 do n[i] = tonumber(n[i] or '0') or 0 end
      moving = moving + n[1] - n[2] - n[3] - n[4] - n[5] - n[6]
      died = died + n[2]
    end
    from = from + page
  until #batches < page
end
return {int(tonumber(c[1] or '0')), int(tonumber(c[2] or '0')),
  int(redis.call('ZCARD', prefix .. 'due')), int(redis.call('ZCARD', prefix .. 'dead')), int(moving), int(died)}
