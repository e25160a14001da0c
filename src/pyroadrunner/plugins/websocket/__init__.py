"""The ``websocket`` plugin: WebSockets whose events PHP or Python workers handle, and topics that clients follow.

``sessions.py`` answers handshakes and keeps the open sessions; ``session.py`` is one client: its events go to a worker
one at a time, and the worker's replies act on it. ``hub.py`` knows which session follows which topic on this server; a
driver (``drivers/contract.py``) carries publications between servers and keeps their history.
"""
