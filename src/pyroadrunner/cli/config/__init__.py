"""``rr config check``, ``show`` and ``schema``."""
