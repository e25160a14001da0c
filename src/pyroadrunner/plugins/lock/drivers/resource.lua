-- The state of one named lock, in one key, and all operations that change it. Redis runs a script atomically.
--
-- KEYS[1]  the key of the name
-- ARGV     operation, name, prefix of the servers' channels; then the arguments of the operation
--
-- Times are microseconds of Redis' clock. The rules are those of resource.py. A lock granted to a waiting call is
-- unconfirmed until its server has asked for it: a server that died in between would otherwise keep it without limit.
--
-- State: t  token of the last granted lock; never smaller than the time, so that it grows even if the key was lost
--        x  whether the holder is exclusive
--        h  holders: i id, p place (identifies a call), t token, d expiry (0 = never), w requested ttl,
--           u unconfirmed, e expiry once confirmed (as set by UpdateTTL)
--        q  queue: i, p, w, r whether it is a read lock, s server, l when it is dropped unless the server asks again
--        g  finished calls: granted and released again before the server asked, or given up (t 0): p, t, d
--        n  name of the last release, so that a repeated one gets the same reply
local ASK_WITHIN = 3000000
local LEASE = 5000000
local REMEMBERED = 86400000 -- milliseconds to remember a name after its last lock

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('GET', KEYS[1])
local state = kept and cmsgpack.unpack(kept) or { t = 0, x = false, h = {}, q = {}, g = {} }
local changed = false

local function find(list, field, value)
  for at, one in ipairs(list) do
    if one[field] == value then return at end
  end
end

local function until_now(list, field)
  local left = {}
  for _, one in ipairs(list) do
    if one[field] == 0 or one[field] > now then left[#left + 1] = one end
  end
  changed = changed or #left < #list
  return left
end

local function next_due()
  local due = 0
  for _, one in ipairs(state.h) do
    if one.d > 0 and (due == 0 or one.d < due) then due = one.d end
  end
  return due
end

local function ends(ttl)
  return ttl > 0 and now + ttl or 0
end

local function admits(id, read)
  if #state.h > 0 and not state.x then
    if find(state.h, 'i', id) then return read or #state.h == 1 end
    return read and #state.q == 0
  end
  return #state.h == 0 and #state.q == 0
end

local function leave(at)
  local gone = table.remove(state.h, at)
  if gone.u then table.insert(state.g, { p = gone.p, t = gone.t, d = now + ASK_WITHIN }) end
  changed = true
end

local function give(one, sure)
  local before = find(state.h, 'i', one.i)
  if before then leave(before) end
  state.t = math.max(state.t + 1, now)
  state.x = not one.r
  local due = now + ASK_WITHIN
  if sure then due = ends(one.w) end
  table.insert(state.h, { i = one.i, p = one.p, t = state.t, w = one.w, d = due, u = not sure })
  changed = true
end

local function line_up(one)
  one.l = now + LEASE
  if not one.r and not state.x and find(state.h, 'i', one.i) then
    table.insert(state.q, 1, one)
  else
    table.insert(state.q, one)
  end
  changed = true
end

local function wake(one)
  redis.call('PUBLISH', ARGV[3] .. one.s, ARGV[2])
end

local function advance()
  while #state.q > 0 do
    local first = state.q[1]
    local upgrade = not first.r and #state.h == 1 and state.h[1].i == first.i
    if #state.h > 0 and (state.x or not (first.r or upgrade)) then break end
    table.remove(state.q, 1)
    give(first, false)
    wake(first)
  end
end

-- The token of a call whose lock was granted (and confirm the lock); 0 = the call has given up; nil = neither.
local function given(place)
  local at = find(state.h, 'p', place)
  if at then
    local held = state.h[at]
    if held.u then
      held.u, held.d, changed = false, held.e or ends(held.w), true
    end
    return held.t
  end
  at = find(state.g, 'p', place)
  return at and state.g[at].t
end

-- Ask for the lock of a call: grant it, queue the call, or keep its place. Returns the token; 0 = not granted.
local function want(one, patient)
  local token = given(one.p)
  if token then return token end
  local at = find(state.q, 'p', one.p)
  if at then
    state.q[at].l, changed = now + LEASE, true
  elseif admits(one.i, one.r) then
    give(one, true)
    return state.t
  elseif patient then
    line_up(one)
  end
  return 0
end

local operations = {}

-- Arguments: server, whether to wait; then place, id, read, ttl of each call. Returns the time until the next expiry,
-- and each token.
function operations.want(server, patient, ...)
  local asked, answer = { ... }, { 0 }
  for at = 1, #asked, 4 do
    local one = { p = asked[at], i = asked[at + 1], r = asked[at + 2] == '1', w = tonumber(asked[at + 3]), s = server }
    answer[#answer + 1] = want(one, patient == '1')
  end
  local due = next_due()
  answer[1] = due > 0 and due - now or 0
  return answer
end

-- The time of a call is over: return its token if it was granted (others may have seen that), else remove its place.
function operations.last(place)
  local token = given(place)
  if not token then operations.quit(place) end
  return token or 0
end

-- A call was cancelled: remove its place and its lock; a late request for it gets none.
function operations.quit(place)
  for _, list in ipairs({ state.q, state.h, state.g }) do
    local at = find(list, 'p', place)
    if at then table.remove(list, at) end
  end
  table.insert(state.g, { p = place, t = 0, d = now + ASK_WITHIN })
  changed = true
  return 1
end

function operations.release(id, name)
  local at = find(state.h, 'i', id)
  if not at then return state.n == name and 1 or 0 end
  leave(at)
  state.n = name
  return 1
end

function operations.force()
  while #state.h > 0 do leave(1) end
  return kept and 1 or 0
end

function operations.exists(id)
  if id == '*' then return #state.h > 0 and 1 or 0 end
  return find(state.h, 'i', id) and 1 or 0
end

function operations.update(id, ttl)
  local at = find(state.h, 'i', id)
  if not at then return 0 end
  local held = state.h[at]
  held.e, changed = ends(tonumber(ttl)), true
  if not held.u then held.d = held.e end
  return 1
end

-- Returns whether the lock is exclusive; id, remaining time and token of each holder; the waiting ids.
function operations.view()
  local holders, waiting = {}, {}
  for _, one in ipairs(state.h) do
    holders[#holders + 1] = { one.i, one.d > 0 and one.d - now or 0, one.t }
  end
  for _, one in ipairs(state.q) do waiting[#waiting + 1] = one.i end
  return { state.x and 1 or 0, holders, waiting }
end

local before = next_due()
state.h = until_now(state.h, 'd')
state.q = until_now(state.q, 'l')
state.g = until_now(state.g, 'd')
advance()
local answer = operations[ARGV[1]](unpack(ARGV, 4))
advance()
if changed then
  local keep = REMEMBERED
  for _, one in ipairs(state.h) do
    if one.d == 0 then
      keep = math.huge
    else
      keep = math.max(keep, (one.d - now) / 1000 + REMEMBERED)
    end
  end
  local packed = cmsgpack.pack(state)
  if keep < 1e15 then
    redis.call('SET', KEYS[1], packed, 'PX', string.format('%.0f', keep))
  else
    redis.call('SET', KEYS[1], packed)
  end
  -- The first call in the queue must ask again at the next expiry.
  if #state.q > 0 and next_due() ~= before then wake(state.q[1]) end
end
return answer
