#!lua flags=allow-oom
-- All that is known of a session: its fields, the user's cut-off, everybody's, the bucket's purge mark.
-- The fence is written so that a confirmation speaks of this moment: who is no master any more gets none.
-- KEYS: session, cut-off, everybody's, purge mark, fence.
redis.call('SET', KEYS[5], '')
return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('HMGET', KEYS[2], 'ended_at', 'spared'),
  redis.call('GET', KEYS[3]),
  redis.call('GET', KEYS[4]),
}
