-- Like load.lua with GET, and counts the answers by status; wrk is slower with it, so speed is not measured this way.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  ok, overloaded, other = 0, 0, 0
end

function response(status)
  if status == 200 then
    ok = ok + 1
  elseif status == 503 then
    overloaded = overloaded + 1
  else
    other = other + 1
  end
end

function done(summary, latency, requests)
  local total = { ok = 0, overloaded = 0, other = 0 }
  for _, thread in ipairs(threads) do
    for name, count in pairs(total) do
      total[name] = count + thread:get(name)
    end
  end
  local e = summary.errors
  io.write(string.format(
    'bench: {"ok": %d, "overloaded": %d, "other": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d,'
    .. ' "p99_ms": %.3f}\n',
    total.ok, total.overloaded, total.other, e.connect, e.read, e.write, e.timeout, latency:percentile(99) / 1000))
end
