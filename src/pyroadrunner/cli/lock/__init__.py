"""``rr lock``: see who holds and who waits for the named locks of the running server, and take one away."""
