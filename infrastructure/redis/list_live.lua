#!lua flags=no-writes
-- A page of a user's live sessions, the newest first: identifier, fields, identifier, fields …
-- KEYS: the user's sessions, cut-off, everybody's.
-- ARGV: what the keys of the user's sessions begin with, now, the start and identifier to go on after, how many.
local CHUNK = 100

-- As bytes, which is how sorted sets order their members: `<` would go by the server's locale.
local function is_less(a, b)
  for i = 1, math.min(#a, #b) do
    local of_a, of_b = a:byte(i), b:byte(i)
    if of_a ~= of_b then
      return of_a < of_b
    end
  end
  return #a < #b
end

local now, after, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local cut_off = redis.call('HMGET', KEYS[2], 'ended_at', 'spared')
local ended_at = tonumber(cut_off[1] or '-1')
local everybody = tonumber(redis.call('GET', KEYS[3]) or '-1')
local found, offset = {}, 0
while true do
  local some = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', offset, CHUNK)
  for i = 1, #some, 2 do
    if #found == 2 * limit then
      return found
    end
    local id, started_at = some[i], tonumber(some[i + 1])
    local is_cut_off = started_at <= everybody or (started_at <= ended_at and id ~= cut_off[2])
    if (started_at < after or is_less(id, ARGV[4])) and not is_cut_off then
      local row = redis.call('HMGET', ARGV[1] .. id, 'expires_at', 'revoked_at')
      if row[1] and not row[2] and tonumber(row[1]) > now then
        found[#found + 1] = id
        found[#found + 1] = redis.call('HGETALL', ARGV[1] .. id)
      end
    end
  end
  if #some < 2 * CHUNK then
    return found
  end
  offset = offset + CHUNK
end
