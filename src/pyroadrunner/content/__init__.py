"""HTTP's rules about bodies, for every plugin that serves them. Independent of any server.

``negotiation.py`` reads ``Accept-Encoding``, ``compressible.py`` decides which responses are encoded and changes their
headers, ``codings.py`` encodes. ``open_files.py`` opens files below a root, ``file_answer.py`` sends one:
``types.py`` finds its type, ``conditions.py`` whether the client already has it, ``ranges.py`` which parts it requests.
"""
