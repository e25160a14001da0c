"""``rr lock``: list the named locks of the running server with holders and waiters, and release them."""
