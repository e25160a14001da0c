"""WebSocket connections: of our HTTP/1 server on a raw transport, of h2corn (TLS, HTTP/2) as ASGI.

``endpoint.py`` is the ASGI application; it answers the handshake and makes a socket of one of two kinds with the same
contract (``contract.py``). The protocol itself (frames, fragments, UTF-8, permessage-deflate, close codes) is that of
``websockets``, without its I/O.
"""
