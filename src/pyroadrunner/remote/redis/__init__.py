"""Redis: a server, a cluster, the master that sentinels name.

client.py     what plugins use
direct.py     one server, on one connection      cluster.py   several, through redis-py
sentinel.py   who is the master?                 options.py   settings in redis-py's words
settings.py   the section with its defaults      config.py    the section
retry.py      is a call tried again?             pubsub.py    publish and subscribe
"""
