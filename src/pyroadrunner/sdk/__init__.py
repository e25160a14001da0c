"""Runs inside a Python worker, the child's side of the relay: receive a request, respond to it, stop on request.

Blocking, without asyncio (except for ``asgi.py``) and quick to import; the counterpart of the PHP library in ``php/``.
Never runs in the server.
"""
