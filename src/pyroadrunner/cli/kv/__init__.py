"""``rr kv``: look into the storages of the running server, and change what is in them."""
