"""HTTP/1.0, which the engine refuses: this listener reads the first line of each connection.

head.py         decodes a request's head into an ASGI scope, encodes a response's head (pure)
exchange.py     one request and its response
connection.py   one connection: handles HTTP/1.0, forwards everything else to the engine
listener.py     the connections of one address, and the engine
"""
