"""Finds plugins, gives them what they need, starts them in order, stops them in reverse.

Read in this order: ``discover.py`` (which plugins are wanted), ``needs.py`` (what a constructor asks for, pure),
``order.py`` (who comes first, pure), ``assemble.py`` (construct them), ``container.py`` (start, run, stop),
``lifecycle.py`` (the server's life between signals: ``signals.py``, ``systemd.py``, ``reaper.py``).
"""
