"""Reports on workers: the RPC service behind ``rr workers``. It has no section."""
