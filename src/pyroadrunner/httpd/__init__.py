"""An HTTP port of the server: everything between an address in a config and an ASGI application.

``net/endpoint.py`` reads addresses, ``net/bound_sockets.py`` binds them, ``engine.py`` serves (with h2corn, which
only it knows). ``tls.py`` has the files of a certificate, ``tls_listener.py`` serves with them while they change,
``net/reuseport.py`` passes an address from one listener to the next.
"""
