#!lua flags=allow-oom
-- Forget what is over, of some of a bucket's users: answer the last user who was looked at, and how many sessions went.
-- A user's sessions are looked at together. Whatever stops the script, running it again does the rest.
-- KEYS: the bucket's holders, everybody's cut-off.
-- ARGV: where to go on, how many sessions to look at; what the keys of users' sessions, of sessions and of cut-offs
--       begin with; until when sessions are forgotten, and until when cut-offs.
local until_, cut_offs_until = tonumber(ARGV[6]), tonumber(ARGV[7])
local everybody = redis.call('GET', KEYS[2])
if everybody and tonumber(everybody) <= cut_offs_until then
  redis.call('DEL', KEYS[2])
end
local looked_at, removed, last = 0, 0, false
for _, user in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do
  local index = ARGV[3] .. user
  local ids = redis.call('ZRANGE', index, 0, -1)
  if looked_at > 0 and looked_at + #ids > tonumber(ARGV[2]) then
    break
  end
  local left = #ids
  for _, id in ipairs(ids) do
    local session = ARGV[4] .. user .. ':' .. id
    local kept_until = redis.call('HGET', session, 'kept_until')
    if not kept_until or tonumber(kept_until) <= until_ then
      redis.call('DEL', session)
      redis.call('ZREM', index, id)
      left = left - 1
      removed = removed + (kept_until and 1 or 0)
    end
  end
  local cut_off = ARGV[5] .. user
  local ended_at = redis.call('HGET', cut_off, 'ended_at')
  if ended_at and tonumber(ended_at) <= cut_offs_until then
    redis.call('DEL', cut_off)
    ended_at = false
  end
  if left == 0 and not ended_at then
    redis.call('ZREM', KEYS[1], user)
  end
  looked_at, last = looked_at + math.max(#ids, 1), user
end
return {last, removed}
