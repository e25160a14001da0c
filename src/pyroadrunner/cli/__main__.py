"""``python -m pyroadrunner.cli``: the same as ``rr``. The one file starts it so."""

from __future__ import annotations

import sys

from pyroadrunner.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
