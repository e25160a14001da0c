"""``rr doctor``: checks everything the server needs, without starting it.

``finding.py`` is the result of one check. ``php.py``, ``machine.py``, ``endpoints.py``, ``remote_servers.py`` and
``worker_start.py`` check one part each. ``render.py`` draws, ``command.py`` runs everything.
"""
