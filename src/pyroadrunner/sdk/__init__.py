"""Runs inside a Python worker, the child's side of the relay: receive a request, answer it, stop when told.

Blocking, without asyncio and quick to import; the twin of the PHP library in ``php/``. It never runs in the server.
"""
