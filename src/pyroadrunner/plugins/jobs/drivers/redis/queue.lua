-- Every change of a queue. Redis runs a script alone, so each is atomic.
--
-- KEYS[1]  the stream: jobs that wait, and jobs that a consumer has. A job that is done is deleted.
-- KEYS[2]  a sorted set: delayed jobs by the time (in ms of Redis' clock) at which they join the stream.
-- ARGV     the operation, the group, this consumer, and arguments of the operation
--
-- The consumer "-" has the jobs that were given back: their time is always over, so the next claim takes them.

local stream, delayed = KEYS[1], KEYS[2]
local operation, group, me = ARGV[1], ARGV[2], ARGV[3]
local RELEASED = '-'

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Add the job that begins at ARGV[at]: its delay in ms, a text that no other job has, the number of fields and their
-- names and values. Returns where the next one begins.
local function add(at)
    local delay, unique, count = tonumber(ARGV[at]), ARGV[at + 1], tonumber(ARGV[at + 2])
    local fields = {}
    for i = 1, count do
        fields[i] = ARGV[at + 2 + i]
    end
    if delay > 0 then
        redis.call('ZADD', delayed, now() + delay, cmsgpack.pack({unique, fields}))
    else
        redis.call('XADD', stream, '*', unpack(fields))
    end
    return at + 3 + count
end

-- The number of deliveries of an entry, if this consumer has it.
local function deliveries(id)
    local found = redis.call('XPENDING', stream, group, id, id, 1, me)
    return found[1] and found[1][4]
end

if operation == 'push' then -- limit, jobs: how many were added
    local limit, count, at = tonumber(ARGV[4]), 0, 5
    local held = redis.call('XLEN', stream) + redis.call('ZCARD', delayed)
    while at <= #ARGV and (limit == 0 or held + count < limit) do
        at = add(at)
        count = count + 1
    end
    return count

elseif operation == 'promote' then -- most: ms until the next one is due, -1 = none
    local time = now()
    local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', time, 'LIMIT', 0, tonumber(ARGV[4]))
    for _, packed in ipairs(due) do
        redis.call('XADD', stream, '*', unpack(cmsgpack.unpack(packed)[2]))
        redis.call('ZREM', delayed, packed)
    end
    local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    return first[2] and math.max(0, tonumber(first[2]) - time) or -1

elseif operation == 'done' then -- id: 1, or 0 if no consumer has it
    local count = redis.call('XACK', stream, group, ARGV[4])
    redis.call('XDEL', stream, ARGV[4])
    return count

elseif operation == 'replace' then -- id, job: 1, or 0 if this consumer does not have it
    if not deliveries(ARGV[4]) then
        return 0
    end
    redis.call('XACK', stream, group, ARGV[4])
    redis.call('XDEL', stream, ARGV[4])
    add(5)
    return 1

elseif operation == 'release' or operation == 'forget' then -- ids: how many this consumer had; `forget` counts an attempt
    local count, less = 0, operation == 'release' and 1 or 0
    for i = 4, #ARGV do
        local times = deliveries(ARGV[i])
        if times then
            redis.call('XCLAIM', stream, group, RELEASED, 0, ARGV[i], 'TIME', 1, 'RETRYCOUNT', times - less, 'JUSTID')
            count = count + 1
        end
    end
    return count

elseif operation == 'claim' then -- least idle ms, most: entries of others with their earlier deliveries; ids of its own
    local found, mine = {}, {}
    for _, one in ipairs(redis.call('XPENDING', stream, group, 'IDLE', ARGV[4], '-', '+', ARGV[5])) do
        local id, consumer, times = one[1], one[2], one[4]
        if consumer == me then
            mine[#mine + 1] = id
        else
            local entry = redis.call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', times + 1)[1]
            if entry then
                found[#found + 1] = {entry[1], entry[2], times}
            else
                redis.call('XACK', stream, group, id) -- it was deleted
            end
        end
    end
    return {found, mine}

elseif operation == 'touch' then -- ids: those that this consumer does not have
    local gone = {}
    for i = 4, #ARGV do
        if deliveries(ARGV[i]) then
            redis.call('XCLAIM', stream, group, me, 0, ARGV[i], 'JUSTID')
        else
            gone[#gone + 1] = ARGV[i]
        end
    end
    return gone

elseif operation == 'mine' then -- most: ids of this consumer
    local ids = {}
    for _, one in ipairs(redis.call('XPENDING', stream, group, '-', '+', ARGV[4], me)) do
        ids[#ids + 1] = one[1]
    end
    return ids

elseif operation == 'tidy' then -- least idle ms: forget consumers without jobs
    local count = 0
    for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
        local about = {}
        for i = 1, #info, 2 do
            about[info[i]] = info[i + 1]
        end
        if about.pending == 0 and about.idle >= tonumber(ARGV[4]) and about.name ~= me then
            redis.call('XGROUP', 'DELCONSUMER', stream, group, about.name)
            count = count + 1
        end
    end
    return count

elseif operation == 'stat' then -- jobs in the stream, delayed, held by consumers, given back
    local held, released = redis.call('XPENDING', stream, group), 0
    for _, one in ipairs(held[4] or {}) do
        if one[1] == RELEASED then
            released = tonumber(one[2])
        end
    end
    return {redis.call('XLEN', stream), redis.call('ZCARD', delayed), held[1], released}
end
return redis.error_reply('ERR unknown operation ' .. operation)
