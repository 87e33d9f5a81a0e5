#!lua
-- Add a built-in user, or switch one on or off; answer whether they were active before, if they were there.
-- KEYS: the bucket's users.
-- ARGV: user, 1 for active or 0.
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return before
