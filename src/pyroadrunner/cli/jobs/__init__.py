"""``rr jobs``: the pipelines of a running server, the jobs in them, and its dead letters."""
