"""``rr serve``: ``command.py`` acts; ``worker_file.py`` is ``rr serve worker.php``; ``pid_file.py`` and
``debug_server.py`` are ``-p`` and ``-d``."""
