"""From files, flags and the environment to checked, typed sections.

Read in this order: ``load.py`` (file, dotenv, expansion, overrides, includes) gives a ``RawConfig`` (``raw.py``);
``section.py`` converts it to the structs of ``models.py`` with the conversions of ``values.py`` and lists every error
(``errors.py``). ``effective.py`` shows the result, ``jsonschema.py`` and ``explain.py`` describe what may be written.
This package knows no plugin: each plugin owns the model of its section and registers it as an entry point.
"""
