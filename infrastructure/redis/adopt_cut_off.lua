#!lua
-- Take over a user's cut-off: what either has ended is over, and a session is spared only if neither has ended it.
-- KEYS: cut-off, the user's sessions, the bucket's holders.
-- ARGV: user, when, the session that was spared or nothing.
local ours = redis.call('HMGET', KEYS[1], 'ended_at', 'spared')
local later, earlier = {ARGV[2], ARGV[3]}, nil
if ours[1] then
  earlier = {ours[1], ours[2] or ''}
  if tonumber(ours[1]) >= tonumber(ARGV[2]) then
    later, earlier = earlier, later
  end
end
local spared = later[2]
if spared ~= '' and earlier and earlier[2] ~= spared then
  local started_at = redis.call('ZSCORE', KEYS[2], spared)
  if not started_at or tonumber(started_at) <= tonumber(earlier[1]) then
    spared = ''
  end
end
redis.call('HSET', KEYS[1], 'ended_at', later[1])
if spared == '' then
  redis.call('HDEL', KEYS[1], 'spared')
else
  redis.call('HSET', KEYS[1], 'spared', spared)
end
redis.call('ZADD', KEYS[3], 0, ARGV[1])
