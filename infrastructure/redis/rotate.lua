#!lua flags=allow-oom
-- The step of a refresh: one compare-and-set. It answers the session's claims, or nothing if the step was not taken.
-- KEYS: session, cut-off, everybody's; and the bucket's users, if the user has to be one who is active.
-- ARGV: user, session's identifier, its start, the generation to replace, the seconds in which it must not have rotated
--       (from, until), kept_until, the key that it may be bound to; then the step's fields and values.
local row = redis.call('HMGET', KEYS[1], 'generation', 'issued_at', 'revoked_at', 'kept_until', 'claims', 'key_thumbprint')
if row[1] ~= ARGV[4] or row[3] then
  return false
end
local issued_at = tonumber(row[2])
if issued_at >= tonumber(ARGV[5]) and issued_at < tonumber(ARGV[6]) then
  return false
end
if row[6] and row[6] ~= ARGV[8] then
  return false
end
if KEYS[4] and redis.call('HGET', KEYS[4], ARGV[1]) ~= '1' then
  return false
end
local cut_off = redis.call('HMGET', KEYS[2], 'ended_at', 'spared')
if cut_off[1] and tonumber(ARGV[3]) <= tonumber(cut_off[1]) and cut_off[2] ~= ARGV[2] then
  return false
end
local everybody = redis.call('GET', KEYS[3])
if everybody and tonumber(ARGV[3]) <= tonumber(everybody) then
  return false
end
local kept_until = ARGV[7]
if tonumber(row[4]) > tonumber(kept_until) then
  kept_until = row[4]
end
redis.call('HSET', KEYS[1], 'kept_until', kept_until, unpack(ARGV, 9))
return row[5] or '{}'
