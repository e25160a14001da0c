"""What holds for every test."""

from __future__ import annotations

import os

# Where it is set (many container images do), nothing is kept of what Python compiles, and each of the hundreds of `rr`
# started here would compile the whole editable package again: a third of its start. Users have it compiled by pip.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
