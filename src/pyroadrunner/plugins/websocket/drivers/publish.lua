-- Publishes to a topic with a history: numbers the publication, keeps it, and tells all servers, in one step.
-- KEYS: 1 position (hash: epoch, offset), 2 history (stream, its ids are the offsets)
-- ARGV: 1 channel, 2 a new epoch, 3 publications to keep, 4 seconds to keep them, 5 the publication
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2])
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
if offset == 1 then
  redis.call('DEL', KEYS[2])
end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], string.format('%d-0', offset),
  'p', ARGV[5], 't', redis.call('TIME')[1])
-- The position outlives the history: without it, a later publication would have an offset that clients know.
redis.call('EXPIRE', KEYS[2], ARGV[4])
redis.call('EXPIRE', KEYS[1], 2 * ARGV[4])
redis.call('PUBLISH', ARGV[1], string.format('%d %s ', offset, epoch) .. ARGV[5])
return {offset, epoch}
