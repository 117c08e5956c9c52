-- Whose turn it is; prepended to claim. The list of turns has at its end the batch
-- whose turn comes next. A batch's cursor `cu` is the first row that no turn has
-- come to. The put off share the place `back`, so that they neither wait behind
-- all rows of all batches nor hold them up.
local turn_rows = 64

-- next_turn moves on to the next export that waits and returns it with its
-- record; or nothing, and whether that is for having looked at too many rows.
-- `own` is the record of the task's export where that waits as well.
local function next_turn(t, own)
  local turns = prefix .. 'turns'
  for _ = 1, turn_rows do
    local next_two = redis.call('LRANGE', turns, -2, -1)
    local whose = next_two[#next_two]
    if not whose then return nil, false end
    local id, found
    if whose == 'back' then
      id = redis.call('ZRANGEBYSCORE', prefix .. 'back', '-inf', int(t), 'LIMIT', 0, 1)[1]
      if id then
        redis.call('ZREM', prefix .. 'back', id)
        local flat = redis.call('HGETALL', prefix .. 'x:' .. id)
        local r = named(flat)
        if r.st and legal(r.st, 'claimed') and tonumber(r.le or '0') <= t then found = flat end
      elseif redis.call('EXISTS', prefix .. 'back') == 0 then
        redis.call('RPOP', turns)
      elseif #next_two == 1 then
        return nil, false
      else
        redis.call('RPOPLPUSH', turns, turns)
      end
    else
      local key = prefix .. 'b:' .. whose
      local b = redis.call('HMGET', key, 't', 'cu')
      local row = tonumber(b[2] or '0')
      if own and own.b == whose and tonumber(own.r) == row then
        id, found = export, own.flat
      elseif b[1] then
        id = redis.call('LINDEX', key .. ':r', row)
      end
      if id then
        redis.call('HSET', key, 'cu', int(row + 1))
        if not found then
          local flat = redis.call('HGETALL', prefix .. 'x:' .. id)
          local r = named(flat)
          if r.st == 'queued' and not r.g then found = flat end
        end
      else
        redis.call('RPOP', turns)
      end
    end
    if found then
      if #next_two == 2 then redis.call('RPOPLPUSH', turns, turns) end
      return id, found
    end
  end
  return nil, true
end
