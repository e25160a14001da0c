"""Announces this server in a registry, and knows the other servers of the cluster.

Read in this order: ``server.py`` (what a registry knows of a server, pure), ``announcement.py`` (which addresses other
machines can use, pure), ``drivers/contract.py`` (a registry), ``registration.py`` (the entry of this server is kept
alive), ``cluster.py`` (the other servers), ``signing.py`` and ``commands.py`` (``rr cluster reset``), ``targets.py``
(the page for Prometheus, pure), ``plugin.py`` (the lifecycle).

Nothing here runs on behalf of a request, and nothing waits for a registry at the start: a registry that is absent, slow
or hostile costs a log line, not a request.
"""
