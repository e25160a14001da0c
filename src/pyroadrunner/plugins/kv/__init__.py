"""The ``kv`` section: key-value storages that workers share, called over RPC.

Read in this order: ``config.py``, ``store.py`` (the contract of a driver), ``drivers/`` (one module each),
``timestamps.py`` (the times of the protocol, pure), ``replies.py`` (results of a store -> messages, pure), ``rpc.py``
(a call -> a store), ``storages.py`` (names -> stores), ``plugin.py``. Only the memory driver uses ``expiry_wheel.py``,
boltdb uses ``remote/transactions.py``.
"""
