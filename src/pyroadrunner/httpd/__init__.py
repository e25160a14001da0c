"""HTTP ports: everything between an address in a config and an ASGI application. Two servers with one contract.

http1/           HTTP/1.0 and HTTP/1.1 in the event loop: plain addresses
engine.py        TLS, HTTP/2 and h2c: h2corn, which no other module uses
limits.py        the bounds of a connection, for both
reset_guard.py   counts the streams of HTTP/2 that are reset (pure)
tls.py           checks the files of a certificate
renewable_listener.py  replaces the engine while it runs
tls_listener.py  reloads changed certificates

``net/`` parses and binds addresses, and passes them from one listener to the next.
"""
