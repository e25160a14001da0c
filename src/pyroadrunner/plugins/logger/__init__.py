"""The ``logs`` section: where log lines go and how they look.

Read in this order: ``config.py`` (what can be set), ``encoders.py`` (one entry to the bytes of one line, pure),
``outputs.py`` and ``rotation.py`` (where bytes go, without ever blocking the server), ``sink.py`` (lines of one loop
iteration in one write, what happens when an output is full or gone), ``handler.py`` (from stdlib ``logging`` to sinks),
``plugin.py``.
"""
