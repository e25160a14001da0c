"""The driver ``beanstalk``: tubes of a beanstalkd.

config.py     the settings              driver.py     the driver
line.py       a connection, its jobs    protocol.py   beanstalkd's replies (pure)
message.py    the body of a job (pure)  gob.py        Go's encoding, in which it is written (pure)
"""
