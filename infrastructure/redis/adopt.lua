#!lua
-- Take over what another store knows of a session: a field that is not there is taken, and the further
-- step. So no session loses its key, which is a field that only bound ones have.
-- KEYS: session, the user's sessions, the bucket's holders, purge mark, fence.
-- ARGV: user, session's identifier, its start, kept_until, generation, how many of the arguments after it are the
--       step's fields and values; these; then all fields and values.
redis.call('SET', KEYS[5], '')
local purged_until = redis.call('GET', KEYS[4])
if purged_until and tonumber(purged_until) >= tonumber(ARGV[4]) then
  return
end
local row = redis.call('HMGET', KEYS[1], 'generation', 'kept_until')
local all = 7 + tonumber(ARGV[6])
if row[1] then
  if tonumber(ARGV[5]) > tonumber(row[1]) then
    redis.call('HSET', KEYS[1], unpack(ARGV, 7, all - 1))
  end
  if tonumber(ARGV[4]) > tonumber(row[2]) then
    redis.call('HSET', KEYS[1], 'kept_until', ARGV[4])
  end
end
for i = all, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('ZADD', KEYS[2], 'NX', ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
