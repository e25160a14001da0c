"""One package per driver: ``config.py`` (settings and the ``DRIVER`` of the entry point, imported with every config)
and ``driver.py`` (imported only when a pipeline uses it; the only place that imports the client library). A driver
depends only on ``contract.py``, not on the rest of the plugin."""
