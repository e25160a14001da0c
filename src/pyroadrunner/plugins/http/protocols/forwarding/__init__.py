"""Inspects a connection before the engine, and forwards it to the engine unless it is handled here.

upstream.py     how to connect to the engine, and how the engine learns the client's address
tunnel.py       copies bytes between client and engine
connection.py   one connection: inspects the first bytes, then handles or forwards it
"""
