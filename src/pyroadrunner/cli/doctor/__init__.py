"""``rr doctor``: looks at all a server needs, without starting it.

``finding.py`` is what is found; ``php.py``, ``machine.py``, ``endpoints.py``, ``remote_servers.py`` and
``worker_start.py`` look, each at one part; ``render.py`` draws; ``command.py`` puts them together.
"""
