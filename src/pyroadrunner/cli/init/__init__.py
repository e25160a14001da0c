"""``rr init``: ``folder.py`` looks at the files, ``project.py`` says what they are, ``config_text.py`` writes the
config, ``worker_scripts.py`` the worker, ``systemd_unit.py`` the unit. ``rr serve`` without a config names the same
project."""
