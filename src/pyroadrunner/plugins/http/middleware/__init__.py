"""One ASGI class per file: the application first, its options after; what is not HTTP is passed through."""
