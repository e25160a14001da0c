"""Protocols that the engine does not speak: FastCGI, HTTP/1.0, HTTP/3."""
