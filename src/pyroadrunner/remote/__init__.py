"""Connections to databases: to remote servers such as Redis, and to local files, for every plugin that needs one.

connection.py    a connection with pipelined commands
redis/           Redis: a server, a cluster, or a master behind sentinels
sqlite_file.py   opening a file of SQLite
transactions.py  SQLite in a thread; concurrent calls share a transaction
"""
