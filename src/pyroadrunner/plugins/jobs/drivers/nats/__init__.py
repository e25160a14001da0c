"""The driver ``nats``: NATS with JetStream.

``config.py`` (settings), ``message.py`` (a job as a message, and back; pure), ``client.py`` (one connection by the
client library), ``jetstream.py`` (the API of JetStream over it), ``driver.py``.
"""
