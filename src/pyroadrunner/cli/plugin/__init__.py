"""``rr plugin``: installs, lists and removes plugins from the Python package index."""
