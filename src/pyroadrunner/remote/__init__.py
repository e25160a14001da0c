"""Connections to remote servers such as Redis, for every plugin that needs one.

connection.py a connection with pipelined commands
redis/     Redis: a server, a cluster, or a master behind sentinels
"""
