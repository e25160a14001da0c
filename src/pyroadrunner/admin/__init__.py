"""Small HTTP endpoints for monitoring: metrics, health. They use no worker.

They do not use h2corn: they get a request a second, must respond while the HTTP listener is overloaded or stopping, and
should cost no thread and no memory. They support GET and HEAD over HTTP/1.1. For anything else they send an error
response and close the connection. Read in this order: ``request.py`` (parses a request head, pure), ``response.py``
(encodes a response, pure), ``connection.py`` (one client connection), ``server.py`` (the listener).
"""
