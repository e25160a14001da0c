"""One module per driver. Each has a ``build(config)`` and depends only on the contract, not on the rest of the
plugin."""
