"""The ``tcp`` section: servers for any TCP protocol. Workers get the events of the connections.

Read in this order: ``config.py``, ``events.py`` (what a worker gets; pure), ``verbs.py`` (what it says; pure),
``message_buffer.py`` (bytes -> messages; pure), ``connection.py`` (one client), ``connections.py`` (all of them, by
uuid; deadlines, the CLOSE events that wait), ``listener.py`` (one server), ``tls.py``, ``event_log.py``, ``rpc.py``,
``metrics.py``, ``plugin.py``.
"""
