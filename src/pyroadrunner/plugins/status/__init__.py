"""Reports the health of the server: ``/health``, ``/ready`` and ``/jobs`` for probes, ``status`` over RPC."""
