"""One ASGI class per file: the application first, then its options. Scopes other than HTTP are passed through."""
