#!lua flags=allow-oom
-- Move a user's cut-off forward, past every session that is known; answer how many of them were live.
-- KEYS: cut-off, the user's sessions, the bucket's holders, everybody's cut-off.
-- ARGV: user, when, the session to spare or nothing, what the keys of the user's sessions begin with.
local at = tonumber(ARGV[2])
local before = redis.call('HMGET', KEYS[1], 'ended_at', 'spared')
local everybody = tonumber(redis.call('GET', KEYS[4]) or '-1')
local was_ended_at = tonumber(before[1] or '-1')
local sessions = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
local ended_at = math.max(at, was_ended_at)
local live = 0
local may_spare = not before[1] or before[2] == ARGV[3]
for i = 1, #sessions, 2 do
  local id, started_at = sessions[i], tonumber(sessions[i + 1])
  local row = redis.call('HMGET', ARGV[4] .. id, 'expires_at', 'revoked_at')
  local is_cut_off = started_at <= everybody or (started_at <= was_ended_at and before[2] ~= id)
  ended_at = math.max(ended_at, started_at)
  if id == ARGV[3] then
    -- What an earlier cut-off has ended is spared by no later one.
    may_spare = may_spare or (row[1] and not is_cut_off)
  elseif row[1] and not row[2] and tonumber(row[1]) > at and not is_cut_off then
    live = live + 1
  end
end
redis.call('HSET', KEYS[1], 'ended_at', string.format('%.0f', ended_at))
if ARGV[3] ~= '' and may_spare then
  redis.call('HSET', KEYS[1], 'spared', ARGV[3])
else
  redis.call('HDEL', KEYS[1], 'spared')
end
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return live
