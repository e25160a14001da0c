"""The driver ``kafka``: topics of Apache Kafka.

``config.py`` has the settings; ``message.py`` translates jobs and records, ``offsets.py`` keeps account of the records
of a partition, ``settings.py`` makes the client library's settings; ``producer.py`` and ``consumer.py`` are its two
halves without threads for the driver, ``driver.py``.
"""
