"""Certificates from an ACME server, such as Let's Encrypt: obtained before the first connection, renewed in time.

store.py        the cache folder
challenge.py    interface of the challenges that prove control of the names
http01.py       the challenge over HTTP
client_hello.py the challenge over TLS: how to recognize its connections (pure)
interceptor.py  ... on the HTTPS port: handles the challenge, forwards other connections to the engine
tlsalpn01.py    ... which port it uses, and with which certificates
select.py       selects the configured challenge
issuer.py       obtains a certificate (the only module that uses the client library)
renewal.py      when to obtain one: at the start, and before it expires
"""
