"""Commands kept running beside the server: the ``service`` section and its RPC.

``plugin.py`` starts and stops, ``services.py`` knows the services by name, ``service.py`` is one of them with all its
processes, ``process.py`` keeps one process alive.
"""
