#!lua
-- Add a session that the store has lost, unless it may have been ended; answer whether that was done.
-- KEYS: session, the user's sessions, the bucket's holders, cut-off, everybody's, purge mark.
-- ARGV: user, session's identifier, its start, when the presented token expires; then fields and values.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local cut_off = redis.call('HMGET', KEYS[4], 'ended_at', 'spared')
if cut_off[1] and tonumber(ARGV[3]) <= tonumber(cut_off[1]) and cut_off[2] ~= ARGV[2] then
  return 0
end
local everybody = redis.call('GET', KEYS[5])
if everybody and tonumber(ARGV[3]) <= tonumber(everybody) then
  return 0
end
local purged_until = redis.call('GET', KEYS[6])
if purged_until and tonumber(purged_until) >= tonumber(ARGV[4]) then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return 1
