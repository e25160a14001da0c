"""The driver ``sql``: queues in a table of PostgreSQL or SQLite; ``boltdb`` uses its SQLite part.

Read in this order: ``config.py``, ``store.py`` (the operations on the table, as the driver needs them), ``queue.py``
(the driver itself), ``sqlite.py``, ``postgres.py`` (the table in each database), ``shared.py`` (one connection for all
pipelines of the server), ``driver.py`` (chooses the database).

A row is a job. It waits (``due`` and ``holder`` are null), is delayed (``due``), or is held by a pipeline of some
server (``holder``). A holder that has died is found by its database, and its jobs wait again.
"""
