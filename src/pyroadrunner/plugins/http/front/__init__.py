"""Who sees a connection before the engine does, and passes it on when it is not for him.

proxy.py        who the client is, told to the engine (pure)
engine.py       where the engine is reached, and how it learns who the client is
passage.py      the way to the engine and back
connection.py   one connection, looked at until it is clear whose it is
"""
