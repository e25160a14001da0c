"""The ``http`` plugin: requests from listeners to the workers of a pool.

plugin             starts, stops and reloads it all; config: its section
listeners          one listener for each address; tls/, protocols/: FastCGI, HTTP/3
gateway            the outermost ASGI application; middleware/: those in between; routes: which pool
app                one request in, one call to a worker, one response out
request, protobuf  a scope -> the context for the worker (pure); cookies
body/              reads bodies, takes forms and uploads apart
response           a worker's reply -> ASGI messages (pure); response_stream: one in several frames
errors             which status each error has; error_log, debug_page: what the log and a developer see
disconnects        cancels queued requests of clients that have disconnected
counters, metrics  for Prometheus
"""
