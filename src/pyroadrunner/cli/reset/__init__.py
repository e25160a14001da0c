"""``rr reset``."""
