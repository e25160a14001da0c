"""The ``lock`` plugin: named locks for everybody who calls RPC; always on, in memory, gone with the server.

Read in this order: ``resource.py`` (one name: who holds it, who waits; pure), ``locks.py`` (all names, and time; pure),
``rpc.py`` (calls), ``plugin.py`` (one timer).
"""
