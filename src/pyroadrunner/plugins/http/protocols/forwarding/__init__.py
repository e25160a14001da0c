"""Who sees a connection before the engine does, and passes it on when it is not for him.

proxy_protocol.py who the client is, told to the engine (pure)
upstream.py     where the engine is reached, and how it learns who the client is
tunnel.py       the way to the engine and back
connection.py   one connection, looked at until it is clear whose it is
"""
