"""``rr reload``: ``command.py`` acts, ``render.py`` draws."""
