"""The ``centrifuge`` section: Centrifugo asks workers (its gRPC proxy), and workers call its server API over RPC.

Read in this order: ``config.py``, ``calls.py`` (the proxied methods: metadata -> context, reply -> answer; pure),
``proxy.py`` (a call of Centrifugo -> a worker), ``api.py`` (the connection to Centrifugo's API), ``rpc.py`` (its
methods for workers), ``figures.py``, ``metrics.py``, ``plugin.py``.
"""
