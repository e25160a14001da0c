"""What HTTP says about bodies, for every door that serves some.

``negotiation.py`` reads ``Accept-Encoding`` (pure), ``codings.py`` encodes. It knows no server and no ASGI.
"""
