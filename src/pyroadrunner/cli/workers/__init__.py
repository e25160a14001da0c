"""``rr workers``.

``command.py`` runs it. ``snapshot.py`` asks the server, ``render.py`` draws the reply (with ``box_drawing.py`` for tables and
``humanize.py`` for numbers), ``watch.py`` repeats both.
"""
