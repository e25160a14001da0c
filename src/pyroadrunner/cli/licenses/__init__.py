"""``rr licenses``: the licences of everything this installation consists of."""
