"""HTTP/3, experimental: aioquic's QUIC in front of the same ASGI application.

messages.py     a request's headers -> ASGI scope, an answer's head -> headers (pure)
connection.py   one QUIC connection and the requests on it
listener.py     all connections of one address
"""
