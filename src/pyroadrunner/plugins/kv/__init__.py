"""The ``kv`` section: key-value storages that workers share, called over RPC.

Read in this order: ``config.py``, ``store.py`` (the contract of a driver), ``drivers/`` (one module each),
``timestamps.py`` (the times of the protocol, pure), ``replies.py`` (what a store found -> messages, pure), ``rpc.py``
(a call -> a store), ``storages.py`` (names to stores), ``plugin.py``. ``expiry_wheel.py`` is the memory driver's own,
``transactions.py`` boltdb's.
"""
