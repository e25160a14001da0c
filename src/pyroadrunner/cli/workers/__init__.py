"""``rr workers``.

``command.py`` runs it. ``snapshot.py`` asks the server, ``render.py`` draws the reply (``box_drawing.py``: tables,
``humanize.py``: numbers). ``-i`` is the view of ``rr top``.
"""
