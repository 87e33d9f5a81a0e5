#!lua flags=allow-oom
-- Write down how far a bucket's purges go, or everybody's cut-off, and never less than before.
-- KEYS: purge mark or cut-off, fence.
-- ARGV: until when.
redis.call('SET', KEYS[2], '')
local before = redis.call('GET', KEYS[1])
if not before or tonumber(before) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
