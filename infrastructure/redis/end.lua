#!lua flags=allow-oom
-- End a session for ever, and answer whether this call did it. It works while the memory is full.
-- KEYS: session, fence; and, to leave a tombstone where there is no row, the user's sessions, the bucket's holders.
-- ARGV: when, why; and for a tombstone user, session's identifier, its start; then fields and values.
redis.call('SET', KEYS[2], '')
local row = redis.call('HMGET', KEYS[1], 'revoked_at', 'kept_until', 'ends_at')
if row[1] then
  return 0
end
if row[3] then
  local kept_until = row[2]
  if tonumber(row[3]) > tonumber(kept_until) then
    kept_until = row[3]
  end
  redis.call('HSET', KEYS[1], 'revoked_at', ARGV[1], 'revocation_reason', ARGV[2], 'kept_until', kept_until)
  return 1
end
if not KEYS[3] then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4])
redis.call('ZADD', KEYS[4], 0, ARGV[3])
return 1
