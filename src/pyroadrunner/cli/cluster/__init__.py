"""``rr cluster``: the servers that the running server knows by discovery; reset or reload all of them."""
