"""Certificates that are had from an ACME server, such as Let's Encrypt: before the first connection, and again in time.

store.py        what is kept in the cache folder
challenges.py   answers to the server's question whether the names are ours
issuer.py       one certificate from the server (the only module that knows the client library)
renewal.py      when: at the start, and before it runs out
"""
