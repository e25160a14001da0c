"""Protocols that the HTTP engine does not support: FastCGI, HTTP/1.0, HTTP/3."""
