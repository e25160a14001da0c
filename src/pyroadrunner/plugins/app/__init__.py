"""The ``app`` service: applications write into the server's log over RPC. Always on, without a section."""
