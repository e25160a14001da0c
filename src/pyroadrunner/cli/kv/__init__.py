"""``rr kv``: read and change the storages of the running server."""
