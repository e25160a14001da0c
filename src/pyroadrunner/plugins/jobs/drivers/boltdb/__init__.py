"""The driver ``boltdb``: a queue in a local file."""
