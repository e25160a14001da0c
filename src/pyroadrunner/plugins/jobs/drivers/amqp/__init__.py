"""The driver ``amqp``: RabbitMQ and other brokers of AMQP 0-9-1.

config.py    the settings                            driver.py             the driver
message.py   jobs as messages of AMQP (pure)         publisher.py          confirms, returned messages
client.py    pika behind awaitable calls             acknowledgements.py   settles deliveries
delays.py    counts delayed jobs
"""
