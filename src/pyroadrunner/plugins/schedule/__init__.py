"""The ``schedule`` section: jobs, requests and commands at given times, each run once across all servers.

Read in this order: ``config.py``, ``cron.py`` and ``timetable.py`` (when; pure), ``plan.py`` (which runs are due;
pure), ``run.py`` (one run, and its record; pure), ``store.py`` (the contract: which server runs what, and the history),
``stores/`` (a module each), ``actions/`` (what a run does), ``entry.py``, ``scheduler.py`` (the clock -> a due run ->
the store -> the action -> the record), ``rpc.py``, ``metrics.py``, ``plugin.py``.

A time is a whole number of milliseconds since the epoch. A *slot* is the time of a run according to the timetable, and
identifies the run: whatever the clocks of the servers show, a slot of an entry is claimed once.
"""
