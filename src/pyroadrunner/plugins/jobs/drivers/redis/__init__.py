"""The driver ``redis``: a stream for each queue.

config.py    the settings             driver.py    the driver
queue.py     calls the script         queue.lua    the script: every change of a queue, each atomic
entry.py     jobs as fields of an entry (pure)
"""
