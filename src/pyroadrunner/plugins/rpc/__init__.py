"""The ``rpc`` section: lets workers and ``rr`` commands call the methods of plugins.

Read in this order: ``config.py``, ``methods.py`` (names -> methods), ``arguments.py`` and ``results.py`` (decode and
encode the codecs, pure; with ``field_names.py``, ``messages.py`` and ``go_errors.py``), ``connection.py`` (one client),
``server.py`` (all clients), ``builtin.py`` (``rpc.Version``, ``rpc.Config``), ``plugin.py``.
"""
