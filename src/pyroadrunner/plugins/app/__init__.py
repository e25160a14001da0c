"""The ``app`` service: applications write to the server's log over RPC. Always on; it has no section."""
