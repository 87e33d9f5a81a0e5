#!lua
-- Add a session. One that is there already stays as it is.
-- KEYS: session, the user's sessions, the bucket's holders, fence.
-- ARGV: user, session's identifier, its start; then fields and values.
redis.call('SET', KEYS[4], '')
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return 1
