"""Static files on a port of their own: the ``fileserver`` section.

``plugin.py`` starts and stops, ``app.py`` answers requests, ``mount.py`` is one prefix with the folder behind it,
``encoded_files.py`` keeps files that were compressed.
"""
