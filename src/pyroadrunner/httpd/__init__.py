"""The HTTP listener: everything between an address in a config and an ASGI application.

``net/endpoint.py`` parses addresses, ``net/bound_sockets.py`` binds them, ``engine.py`` serves (the only module that
uses h2corn) and closes what the engine can't (``net/peers.py``). ``reset_guard.py`` counts the streams that are reset.
``tls.py`` checks the files of a certificate, ``tls_listener.py`` reloads changed certificates,
``net/reuseport.py`` passes an address from one listener to the next.
"""
