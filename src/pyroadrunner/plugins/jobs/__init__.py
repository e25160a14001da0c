"""The ``jobs`` section: queues on brokers, and the workers that run their jobs.

Read in this order: ``config.py``, ``drivers/contract.py`` (what a driver promises), ``drivers/`` (a package each),
``installed.py`` (names -> drivers), ``connection.py`` (the one reconnect policy), ``pipeline.py`` (a name, a driver,
its connection, its figures), ``job_queue.py`` (what waits for a worker; pure), ``context.py`` and ``answer.py`` (what
the worker gets and says; pure), ``outcome.py`` (what becomes of a job; pure), ``dead_letters.py`` (pure),
``consumer.py`` (a free worker -> a job -> its outcome), ``declaration.py``, ``pipelines.py`` (all of them by name),
``operator.py`` (peek, retry, purge), ``push.py``,
``rpc.py``, ``plugin.py``.
"""
