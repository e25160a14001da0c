"""Values of a config, from what a file says to what the code uses. Pure.

The aliases below are how a section's struct says what a key accepts; ``section.py`` converts by them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

# Seconds. "10s", "1m30s", "500ms"; a bare integer is nanoseconds, as in RoadRunner.
Duration = Annotated[float, Meta(extra={"rr": "duration"})]
# One string (split like a shell would) or a list of arguments.
Command = Annotated[list[str], Meta(extra={"rr": "command"})]
# A list, or a string split at commas.
StringList = Annotated[list[str], Meta(extra={"rr": "list"})]
# A map, or a list of maps merged into one; scalar values become strings.
StringMap = Annotated[dict[str, str], Meta(extra={"rr": "map"})]
