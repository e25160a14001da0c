"""Errors of ``centrifuge``."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class CentrifugeError(RoadRunnerError):
    """A call could not be made or answered."""


class ApiFailed(CentrifugeError):
    """A call of Centrifugo's API failed; an error that Centrifugo puts into its answer is none.

    Attributes:
        code: the name of the gRPC status: ``Unavailable``.
        reason: its message.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {reason}")  # grpc-go's text, which RoadRunner passes on
        self.code = code
        self.reason = reason


class NotStarted(CentrifugeError):
    """A worker called the API before the plugin started."""

    def __init__(self) -> None:
        super().__init__("RoadRunner is not ready yet, try in a few seconds")


class GrpcNotInstalled(CentrifugeError):
    """The package for gRPC clients is missing."""

    def __init__(self) -> None:
        super().__init__(
            "centrifuge: Centrifugo's API needs the package grpcio; pip install 'pyroadrunner[centrifuge]'"
        )


class UnusableFiles(CentrifugeError):
    """The files of ``centrifuge.tls`` can't be used."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"centrifuge.tls.{key}: {why}")


class BadReply(CentrifugeError):
    """A worker's reply that is no answer to Centrifugo's call."""
