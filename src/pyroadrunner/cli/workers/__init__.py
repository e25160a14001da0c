"""``rr workers``.

``command.py`` acts; ``snapshot.py`` asks the server, ``render.py`` draws what it said (with ``table.py``, boxes, and
``humanize.py``, numbers for people), ``watch.py`` repeats both.
"""
