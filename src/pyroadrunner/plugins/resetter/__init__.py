"""Replaces workers without interrupting requests: the RPC service behind ``rr reset``. It has no section."""
