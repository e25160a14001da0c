"""What the listed ``.proto`` files say, without generated code.

Read in this order: ``patterns.py`` (entries with ``**``; pure), ``listed.py`` (entries -> files), ``tokens.py`` and
``outline.py`` (a file -> its services; pure), ``services.py`` (all of them; pure), ``reader.py`` (files and what they
import), ``compiler.py`` (full descriptors, by protobuf's compiler), ``descriptors.py`` (their index; pure).
"""
