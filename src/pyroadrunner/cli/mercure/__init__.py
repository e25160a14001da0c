"""``rr mercure``: the subscribers of a running Mercure hub."""
