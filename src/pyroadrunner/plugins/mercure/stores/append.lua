-- Numbers an update, keeps it, and gives it to all servers, in one step.
-- KEYS: 1 position (hash: epoch, sequence), 2 history (stream, its ids are the sequences), 3 ids (hash: id -> sequence)
-- ARGV: 1 channel, 2 a new epoch, 3 updates to keep (0 = all), 4 id, 5 the update
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2])
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local sequence = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
if sequence == 1 then
  redis.call('DEL', KEYS[2], KEYS[3])
end
local name = string.format('%d-0', sequence)
redis.call('XADD', KEYS[2], name, 'i', ARGV[4], 'u', ARGV[5])
redis.call('HSETNX', KEYS[3], ARGV[4], sequence)
local keep = tonumber(ARGV[3])
if keep > 0 then
  local excess = redis.call('XLEN', KEYS[2]) - keep
  if excess > 0 then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', math.min(excess, 1000))) do
      local id = entry[2][2]
      local known = redis.call('HGET', KEYS[3], id)
      if known and known .. '-0' == entry[1] then
        redis.call('HDEL', KEYS[3], id)
      end
      redis.call('XDEL', KEYS[2], entry[1])
    end
  end
end
redis.call('PUBLISH', ARGV[1], string.format('%d %s ', sequence, epoch) .. ARGV[5])
return {sequence, epoch}
