"""Small HTTP endpoints for those who watch the server: metrics, health. No worker is behind them.

Not h2corn: they get a request a second, must answer while the real listener is overloaded or stopping, and should cost
no thread and no memory. GET and HEAD over HTTP/1.1 is all they speak; whatever else is sent gets an answer that says so
and the end of the connection. Read in this order: ``request.py`` (bytes of a head to what is asked, pure),
``response.py`` (an answer to bytes, pure), ``connection.py`` (one client), ``server.py`` (all of them).
"""
