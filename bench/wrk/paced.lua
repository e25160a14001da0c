-- Like load.lua, but each connection pauses between two requests: wrk ... -s paced.lua URL -- MILLISECONDS

local pause = 0

function init(args)
  pause = tonumber(args[1])
end

function delay()
  return pause
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'bench: {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "bytes": %d, '
      .. '"bad_status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.bytes,
    e.status, e.connect, e.read, e.write, e.timeout))
end
