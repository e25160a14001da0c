-- Enters a connection into a topic with presence.
-- KEYS: 1 connections (hash: id -> entry), 2 users (hash: id -> number of connections), 3 held departures (hash)
-- ARGV: 1 connection, 2 its entry, 3 its user
-- Returns: connections; whether this is the first; whether it is the first of its user; whether each was held.
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local user = ARGV[3]
local first_of_user = 0
local old_user = nil
if before then
  local length, start = string.match(before, '^%S+ (%d+) ()')
  old_user = string.sub(before, start, start + tonumber(length) - 1)
end
if old_user ~= user then
  if old_user and old_user ~= '' and redis.call('HINCRBY', KEYS[2], old_user, -1) < 1 then
    redis.call('HDEL', KEYS[2], old_user)
  end
  if user ~= '' and redis.call('HINCRBY', KEYS[2], user, 1) == 1 then
    first_of_user = 1
  end
end
local count = redis.call('HLEN', KEYS[1])
local first = (not before and count == 1) and 1 or 0
local returned, user_returned = 0, 0
if first == 1 then
  returned = redis.call('HDEL', KEYS[3], 'topic')
end
if first_of_user == 1 then
  user_returned = redis.call('HDEL', KEYS[3], 'user:' .. user)
end
return {count, first, first_of_user, returned, user_returned}
