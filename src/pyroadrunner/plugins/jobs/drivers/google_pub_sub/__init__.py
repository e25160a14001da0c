"""The driver ``google_pub_sub``: Google Cloud Pub/Sub.

``config.py`` (settings), ``message.py`` (a job as a message, and back; pure), ``client.py`` (calls over gRPC),
``batches.py`` (calls for several messages in one), ``driver.py``.
"""
