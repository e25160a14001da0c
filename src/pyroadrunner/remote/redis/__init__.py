"""Redis: a server, a cluster, or a master behind sentinels.

client.py     the client for plugins
direct.py     one server, on one connection      cluster.py   a cluster, through redis-py
sentinel.py   finds the master                   options.py   settings as redis-py's options
settings.py   the section with its defaults      config.py    the section
retry.py      decides on retries                 pubsub.py    publish and subscribe
"""
