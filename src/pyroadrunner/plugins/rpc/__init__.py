"""The ``rpc`` section: where workers and ``rr`` commands call the methods of every plugin that has some.

Read in this order: ``config.py``, ``methods.py`` (names to methods), ``arguments.py`` and ``results.py`` (values from
and to the bytes of each codec, pure; with ``keys.py``, ``messages.py`` and ``wording.py``), ``connection.py`` (one
client), ``exchange.py`` (all of them), ``own.py`` (``rpc.Version``, ``rpc.Config``), ``plugin.py``.
"""
