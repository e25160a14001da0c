"""A file of servers, written by people or by a tool; only read."""
