"""``rr migrate``: ``fpm.py``, ``unit_json.py`` and ``roadrunner.py`` (with the modules that they name) read a foreign
config and say of each key what became of it; ``report.py`` has the words, ``builder.py`` collects the new config. All
of them are pure; ``command.py`` reads and writes the files."""
