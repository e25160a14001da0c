-- Sends a GET, or a POST of so many bytes: wrk ... -s load.lua URL -- BYTES SERIAL. Reports in one line of JSON.
-- Where a header has the text SERIAL, each request has another number.

function init(args)
  local bytes = tonumber(args[1])
  if bytes > 0 then
    wrk.method = "POST"
    wrk.body = string.rep("x", bytes)
  end
  local pieces = split(wrk.format(), args[2])
  if #pieces > 1 then
    numbered(pieces, "%0" .. #args[2] .. "x")
  end
end

function split(text, mark)
  local pieces, start = {}, 1
  while true do
    local first, last = text:find(mark, start, true)
    table.insert(pieces, text:sub(start, first and first - 1))
    if not first then
      return pieces
    end
    start = last + 1
  end
end

-- wrk calls a function of the name "request" for each request, and makes only one request if there is no such function.
function numbered(pieces, digits)
  local count = 0
  request = function()
    count = count + 1
    return table.concat(pieces, digits:format(count))
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'bench: {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "bytes": %d, '
      .. '"bad_status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.bytes,
    e.status, e.connect, e.read, e.write, e.timeout))
end
