"""Small HTTP endpoints for monitoring: metrics, health. They use no worker.

They support GET and HEAD. Read in this order: ``response.py`` (a response, pure), ``app.py`` (the ASGI application: a
request in, a response out), ``pages.py`` (pages of other plugins), ``server.py`` (the HTTP/1 server with its limits for
these endpoints).
"""
