"""The Pusher Channels protocol, version 7: what Laravel Echo, ``pusher-js`` and Laravel's broadcasters speak.

``client.py`` is one connected client; ``app.py`` the state of one application; ``api.py`` the API of backends.
``channels.py``, ``signatures.py`` and ``frames.py`` are the rules of the protocol (pure).
"""
