"""One module per driver; each has a ``build(config)`` and knows the contract, nothing else of the plugin."""
