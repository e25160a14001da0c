"""``rr workers``.

``command.py`` acts; ``snapshot.py`` asks the server, ``render.py`` draws what it said (with ``table.py``, boxes, and
``figures.py``, numbers for people), ``live.py`` repeats both.
"""
