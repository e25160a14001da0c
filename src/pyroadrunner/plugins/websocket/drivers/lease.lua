-- Renews the lease of a server, and finds the servers whose lease is over.
-- KEYS: 1 leases (sorted set: server -> time of its renewal), 2 dead servers whose connections are still to be removed
-- ARGV: 1 server, 2 milliseconds of a lease, 3 whether the server is new, 4 whether it looks for others: 0 or 1
-- Returns: whether the lease is renewed (otherwise others have taken the server for dead); the dead servers.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] == '0' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return {0, {}}
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
if ARGV[4] == '1' then
  for _, server in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])) do
    redis.call('ZREM', KEYS[1], server)
    redis.call('SADD', KEYS[2], server)
  end
end
return {1, redis.call('SMEMBERS', KEYS[2])}
