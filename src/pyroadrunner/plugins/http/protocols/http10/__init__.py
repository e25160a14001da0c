"""HTTP/1.0, which the engine refuses: a front that reads the first line of a connection.

head.py         bytes of a request's head -> ASGI scope, an ASGI answer's head -> bytes (pure)
connection.py   one connection: HTTP/1.0 is answered here, all else is passed on to the engine
listener.py     all connections of one address, and the engine behind them
"""
