"""Replaces workers while requests go on: the RPC service behind ``rr reset``. Needs no section."""
