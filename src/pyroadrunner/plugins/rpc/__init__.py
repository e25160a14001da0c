"""The ``rpc`` section: where workers and ``rr`` commands call the methods of every plugin that has some.

Read in this order: ``config.py``, ``methods.py`` (names to methods), ``arguments.py`` and ``results.py`` (values from
and to the bytes of each codec, pure; with ``field_names.py``, ``messages.py`` and ``go_errors.py``), ``connection.py``
(one client), ``server.py`` (all of them), ``builtin.py`` (``rpc.Version``, ``rpc.Config``), ``plugin.py``.
"""
