"""``rr schedule``: the entries of a running server, their next and their last runs."""
