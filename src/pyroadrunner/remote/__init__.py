"""Servers elsewhere that keep something for us: connections to them, for every plugin that needs one.

connection.py a connection that answers in the order in which it is asked
redis/     Redis: a server, a cluster, the master that sentinels name
"""
