"""Certificates that are had from an ACME server, such as Let's Encrypt: before the first connection, and again in time.

store.py        what is kept in the cache folder
challenge.py    the server's question whether the names are ours
http01.py       asked over HTTP
client_hello.py asked over TLS: how to tell such a connection from others (pure)
interceptor.py  ... on the port of HTTPS: one is answered, the others go on to the engine
tlsalpn01.py    ... where that is, and with which certificates
select.py       which of them the config wants
issuer.py       one certificate from the server (the only module that knows the client library)
renewal.py      when: at the start, and before it runs out
"""
