#!lua flags=no-writes
-- All of some of a bucket's users: the last of them; then of each user the name, what their cut-off holds, and a list of
-- sessions: identifier, fields, identifier, fields …
-- KEYS: the bucket's holders, purge mark.
-- ARGV: where to go on, how many sessions; what the keys of users' sessions, of sessions and of cut-offs begin with.
local found, looked_at = {false, redis.call('GET', KEYS[2])}, 0
for _, user in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do
  local ids = redis.call('ZRANGE', ARGV[3] .. user, 0, -1)
  if looked_at > 0 and looked_at + #ids > tonumber(ARGV[2]) then
    break
  end
  local sessions = {}
  for _, id in ipairs(ids) do
    sessions[#sessions + 1] = id
    sessions[#sessions + 1] = redis.call('HGETALL', ARGV[4] .. user .. ':' .. id)
  end
  found[#found + 1] = {user, redis.call('HMGET', ARGV[5] .. user, 'ended_at', 'spared'), sessions}
  looked_at, found[1] = looked_at + math.max(#ids, 1), user
end
return found
