"""``rr trust`` and the certificates of ``rr serve --https``: ``authority.py`` signs them, ``system_store.py`` makes the
machine trust them."""
