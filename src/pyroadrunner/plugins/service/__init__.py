"""The ``service`` section and its RPC: commands that run next to the server.

``plugin.py`` starts and stops them, ``services.py`` holds the services by name, ``service.py`` is one service with its
processes, ``process.py`` keeps one process running.
"""
