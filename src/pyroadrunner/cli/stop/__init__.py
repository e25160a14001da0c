"""``rr stop``."""
