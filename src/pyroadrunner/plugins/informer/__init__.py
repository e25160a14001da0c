"""Tells about workers: the RPC service behind ``rr workers``. Needs no section."""
