"""HTTP/3, experimental: serves the same ASGI application over QUIC with aioquic.

messages.py     a request's headers -> ASGI scope, a response's head -> headers (pure)
connection.py   one QUIC connection and the requests on it
listener.py     the connections of one address
"""
