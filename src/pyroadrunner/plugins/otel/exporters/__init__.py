"""One module per kind of receiver, with ``build(config, environ) -> SpanExporter``. Only the configured one is
imported."""
