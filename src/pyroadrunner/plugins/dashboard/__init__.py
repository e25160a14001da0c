"""The web dashboard: shows what the server does, and steers it.

Read in this order: ``config.py``; ``access.py`` (who may do what, pure) and ``guard.py`` (the same for a request);
``latencies.py``, ``history.py`` (an hour of figures, pure) and ``sampler.py`` (fills them); ``log_tail.py``;
``views/`` (each page as data); ``streams.py`` (server-sent events); ``app.py`` (the ASGI application). ``assets/`` is
the front end: plain modules, no build.
"""
