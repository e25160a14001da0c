-- The state of one entry: the newest claimed slot, the running run, the records of runs by id, their ids (newest
-- first), and the prefix of the keys of claims, which expire.
local last_key, running_key, records_key, order_key, claims = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation = ARGV[1]

if operation == 'history' then
    local ids = redis.call('LRANGE', order_key, 0, tonumber(ARGV[2]) - 1)
    local found = {}
    for _, id in ipairs(ids) do
        local record = redis.call('HGET', records_key, id)
        if record then
            found[#found + 1] = record
        end
    end
    return found
end

local id, record, history, lease = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local function keep(text)
    if redis.call('HSET', records_key, id, text) == 1 then
        redis.call('LPUSH', order_key, id)
        while redis.call('LLEN', order_key) > history do
            redis.call('HDEL', records_key, redis.call('RPOP', order_key))
        end
    end
end

if operation == 'renew' then
    if redis.call('GET', running_key) == id then
        redis.call('PEXPIRE', running_key, lease)
    end
    keep(record)
    return 'ok'
end

if operation == 'finish' then
    if redis.call('GET', running_key) == id then
        redis.call('DEL', running_key)
    end
    keep(record)
    return 'ok'
end

-- begin
local slot, overlap, skipped, kept = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local claim_key, claimed, last = nil, false, false
if slot ~= '' then
    claim_key = claims .. slot
    claimed, last = redis.call('GET', claim_key), redis.call('GET', last_key)
    if claimed == id .. ':skipped' then
        return 'skipped'
    end
    if claimed ~= id and (claimed or last == slot) then
        return 'taken'
    end
end
local running = overlap ~= 'allow' and redis.call('GET', running_key)
local busy = running and running ~= id
if busy and overlap == 'queue' then
    return 'wait'
end
if slot ~= '' then
    redis.call('SET', claim_key, busy and (id .. ':skipped') or id, 'PX', kept)
    local newest, at = tonumber(last), tonumber(slot)
    if not newest or at > newest or at < newest - kept then
        redis.call('SET', last_key, slot)
    end
end
if not busy and overlap ~= 'allow' then
    redis.call('SET', running_key, id, 'PX', lease)
end
keep(busy and skipped or record)
return busy and 'skipped' or 'run'
