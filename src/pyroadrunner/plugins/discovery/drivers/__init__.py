"""The registries: ``contract.py``, one folder per driver, and ``client.py``, the HTTP client of those that need one."""
