"""From files, flags and the environment to checked, typed sections.

Read in this order: ``load.py`` (file, dotenv, expansion, overrides, includes) gives a ``RawConfig`` (``raw.py``);
``section.py`` turns it into the structs of ``models.py`` by the conversions of ``values.py`` and lists every fault
(``errors.py``). ``effective.py`` and ``jsonschema.py`` show the result and what may be written. No plugin is
known here: each owns the model of its section and names it as an entry point.
"""
