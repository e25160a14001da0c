"""``rr reload`` and SIGHUP: read the config again and apply the changes that do not need a restart.

Read in this order: ``diff.py`` (the changes, pure), ``merge.py`` (a section with the applicable changes, pure),
``reloader.py`` (the steps of a reload, and the RPC method), ``endure.py`` (the container's own section).
"""
