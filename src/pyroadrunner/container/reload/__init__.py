"""``rr reload`` and SIGHUP: read the config again, take over what can be taken over while the server runs.

Read in this order: ``diff.py`` (what has changed, pure), ``merge.py`` (the part of a section that is taken over, pure),
``reloader.py`` (the order of it all, and the RPC method), ``endure.py`` (the one section of the container's own).
"""
