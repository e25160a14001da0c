"""The ``logs`` section: where log lines go and how they look.

Read in this order: ``config.py`` (the settings), ``encoders.py`` (an entry -> the bytes of a line, pure),
``outputs.py`` and ``rotation.py`` (writing without blocking the server), ``sink.py`` (batches the lines of a loop
iteration, handles full and broken outputs), ``handler.py`` (from stdlib ``logging`` to sinks), ``plugin.py``.
"""
