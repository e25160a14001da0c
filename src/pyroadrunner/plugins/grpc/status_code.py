"""The status codes of gRPC. (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md) Pure."""

from __future__ import annotations

from enum import IntEnum


class StatusCode(IntEnum):
    """A code of the protocol. Workers may send other integers, so a status is an ``int`` where it comes from them."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16
