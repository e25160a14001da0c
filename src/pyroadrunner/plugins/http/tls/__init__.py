"""HTTPS: its config, its files, and the client's certificate for workers."""
