"""What HTTP says about bodies, for every door that serves some. It knows no server.

``negotiation.py`` reads ``Accept-Encoding``, ``compressible.py`` says which answers are encoded and how their headers
change, ``codings.py`` encodes. ``open_files.py`` opens files below a root, ``file_answer.py`` answers with one:
``types.py`` knows its type, ``conditions.py`` whether the client has it already, ``ranges.py`` which part it wants.
"""
