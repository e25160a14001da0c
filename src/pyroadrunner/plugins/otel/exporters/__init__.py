"""One module for each kind of receiver, with ``build(config, environ) -> SpanExporter``; imported only when named."""
