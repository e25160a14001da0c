"""The driver ``memory``: a queue in the server's own memory."""
