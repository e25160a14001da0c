-- What is known of one name, in one key, and every step that changes it. Redis runs a script alone and at once.
--
-- KEYS[1]  the key of the name
-- ARGV     operation, name, what the channels of servers begin with; then what the operation takes
--
-- Times are microseconds of Redis' own clock. The rules are those of resource.py. Here a lock that is given to one who
-- waits is not sure before its server has asked for it: a server that died in between would keep it for ever.
--
-- State: t  token of the last lock given; it is never smaller than the time, so that it grows even when the key was lost
--        x  whether the holder is an exclusive one
--        h  holders: i id, p place (names one call), t token, d when it ends (0 = never), w ttl it is wanted for,
--           u not sure yet, e when it ends once it is sure (as UpdateTTL said)
--        q  queue: i, p, w, r whether to read, s server, l when it is dropped unless the server asks again
--        g  calls that are through: given and taken away again before the server asked, or given up (t 0): p, t, d
--        n  name of the last release, so that one sent twice is answered as the first was
local ASK_WITHIN = 3000000
local LEASE = 5000000
local REMEMBERED = 86400000 -- milliseconds a name is known after its last lock

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

-- The token of a call that was given its lock, which is sure then; 0 = it has given up; nil = neither.
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

-- A call that asks: take it, wait for it, or say that it still waits. Answers its token; 0 = it has none.
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

-- server, whether to wait; then place, id, read, ttl of each call. Answers how long until a lock ends, and each token.
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

-- A call whose patience is over: its token after all, since others may have seen that it was given, or no place any more.
function operations.last(place)
  local token = given(place)
  if not token then operations.quit(place) end
  return token or 0
end

-- A call whose answer nobody waits for any more: it has no place and no lock, and gets none if it is asked for late.
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

-- Whether it is exclusive; id, what is left and token of each holder; who waits.
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
  -- Who is first in the queue has to look again when the next lock ends.
  if #state.q > 0 and next_due() ~= before then wake(state.q[1]) end
end
return answer
