"""``rr serve``: ``command.py`` runs it; ``worker_file.py`` implements ``rr serve worker.php``, ``pid_file.py`` and
``debug_server.py`` the flags ``-p`` and ``-d``."""
