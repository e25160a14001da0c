"""Errors of the ``mercure`` plugin."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class MercureError(RoadRunnerError):
    """Any error of this plugin."""


class NotInstalled(MercureError):
    """The package is missing."""

    def __init__(self, missing: str, extra: str = "mercure") -> None:
        super().__init__(
            f"the section mercure needs a package that is not installed: pip install 'pyroadrunner[{extra}]'"
            f" (missing: {missing})"
        )


class NoHttp(MercureError):
    """Nothing listens."""

    def __init__(self) -> None:
        super().__init__("the section mercure needs the section http, or mercure.address for a port of its own")


class StoreNotUsable(MercureError):
    """The store can't be opened."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"mercure: the store can't be used: {error}")


class BadKey(MercureError):
    """A key can't be used."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"mercure.{setting}: the key can't be used: {why}")


class BadUpdate(MercureError):
    """The fields of an update are not valid.

    Attributes:
        status: of the response to a publisher.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class BadToken(Exception):
    """A token is not valid. The text never contains a part of it."""
