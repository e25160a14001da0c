"""Figures for Prometheus: those of every plugin, of the process, and those the application counts over RPC.

Read in this order: ``collectors.py`` (what counts, pure), ``registry.py`` (collectors by name, and what RPC may do with
them), ``workers.py`` and ``process.py`` (figures of workers and of this process), ``exposition.py`` (families -> text,
pure), ``plugin.py``.
"""
