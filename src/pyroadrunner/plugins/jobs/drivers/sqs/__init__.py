"""The driver ``sqs``: Amazon SQS, and servers with its JSON protocol.

``config.py`` (settings), ``message.py`` (a job as a message, and back; pure), ``client.py`` (signed calls),
``batches.py`` (calls of several deliveries in one), ``driver.py``.
"""
