"""Metrics for Prometheus: of all plugins, of the process, and those that the application counts over RPC.

Read in this order: ``collectors.py`` (counters and other collectors, pure), ``registry.py`` (collectors by name, with
their operations for RPC), ``workers.py`` and ``process.py`` (metrics of workers and of this process), ``exposition.py``
(families -> text, pure), ``plugin.py``.
"""
