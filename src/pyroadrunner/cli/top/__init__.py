"""``rr top`` and ``rr workers -i``: what the server does now, live in the terminal.

command     reads the flags and chooses how to show it
overview    asks the server
model       computes rates from two overviews, sorts and filters; columns: what the tables show. Both pure
plain       text without a terminal library, and JSON
redraw      repeats text until interrupted
poller      asks again and again, in a thread of its own
app         the interactive view (Textual), with dialogs, actions (what keys do to the server) and theme
"""
