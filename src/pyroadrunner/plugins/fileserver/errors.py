"""Errors that prevent the start of the file server."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class NothingToServe(RoadRunnerError):
    """``fileserver.serve`` is empty."""

    def __init__(self) -> None:
        super().__init__("fileserver: no configuration to serve: add a prefix and its folder to fileserver.serve")
