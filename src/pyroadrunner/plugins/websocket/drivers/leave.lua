-- Removes connections from a topic with presence: one, or all of a server.
-- KEYS: 1 connections (hash: id -> entry), 2 users (hash: id -> number of connections), 3 held departures (hash)
-- ARGV: 1 connection, or empty; 2 server; 3 whether departures are held: 0 or 1; 4 seconds after which they are forgotten
-- Returns: connections; whether the last has left; users whose last connection has left.
local entries
if ARGV[1] ~= '' then
  local entry = redis.call('HGET', KEYS[1], ARGV[1])
  entries = entry and {ARGV[1], entry} or {}
else
  entries = redis.call('HGETALL', KEYS[1])
end
local removed = 0
local users = {}
for at = 1, #entries, 2 do
  local server, length, start = string.match(entries[at + 1], '^(%S+) (%d+) ()')
  if ARGV[1] ~= '' or server == ARGV[2] then
    removed = removed + redis.call('HDEL', KEYS[1], entries[at])
    local user = string.sub(entries[at + 1], start, start + tonumber(length) - 1)
    if user ~= '' and redis.call('HINCRBY', KEYS[2], user, -1) < 1 then
      redis.call('HDEL', KEYS[2], user)
      users[#users + 1] = user
    end
  end
end
local count = redis.call('HLEN', KEYS[1])
local last = (removed > 0 and count == 0) and 1 or 0
if ARGV[3] == '1' then
  if last == 1 then
    redis.call('HSET', KEYS[3], 'topic', 1)
  end
  for _, user in ipairs(users) do
    redis.call('HSET', KEYS[3], 'user:' .. user, 1)
  end
  if last == 1 or #users > 0 then
    redis.call('EXPIRE', KEYS[3], ARGV[4])
  end
end
return {count, last, users}
