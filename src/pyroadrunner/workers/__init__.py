"""Pools of child processes that answer requests. "Worker" always means such a process; the server's own background
coroutines are "tasks"."""
