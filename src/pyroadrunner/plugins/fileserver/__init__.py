"""The ``fileserver`` section: serve static files on a separate port.

``plugin.py`` starts and stops it, ``app.py`` answers requests, ``mount.py`` maps a prefix to a folder,
``encoded_files.py`` caches compressed files.
"""
