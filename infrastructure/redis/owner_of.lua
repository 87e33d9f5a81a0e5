#!lua flags=no-writes
-- Look for a session among some of a bucket's users: answer the last who was looked at, and 1 if it is theirs.
-- KEYS: the bucket's holders.
-- ARGV: where to go on, how many users; what the keys of users' sessions begin with, the session's identifier.
local users = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
for _, user in ipairs(users) do
  if redis.call('ZSCORE', ARGV[3] .. user, ARGV[4]) then
    return {user, 1}
  end
end
return {users[#users] or false}
