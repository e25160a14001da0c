"""gRPC-Web: browsers call the same methods on the same port, over HTTP/1.1 or HTTP/2.

(https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md) RoadRunner has none. ``format.py`` (bodies; pure),
``cors.py`` (which pages may call; pure), ``app.py`` (ASGI around the gRPC application), ``config.py``.
"""
