"""Tells whoever runs the server how it is: ``/health``, ``/ready`` and ``/jobs`` for probes, ``status`` over RPC."""
