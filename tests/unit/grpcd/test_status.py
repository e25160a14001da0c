"""Status codes and google.rpc.Status."""

from __future__ import annotations

import pytest

from pyroadrunner.grpcd.status import GrpcStatus, RpcStatus, StatusCode, code_name, is_any, read_status, write_status


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, "OK"),
        (1, "Canceled"),
        (StatusCode.INVALID_ARGUMENT, "InvalidArgument"),
        (4, "DeadlineExceeded"),
        (16, "Unauthenticated"),
        (99, "Code(99)"),
        (4294967295, "Code(4294967295)"),
    ],
)
def test_names_are_those_of_grpc_go(code: int, name: str) -> None:
    assert code_name(code) == name


def test_a_status_names_itself() -> None:
    assert str(GrpcStatus(5, "no such user")) == "NotFound: no such user"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", RpcStatus(0, "", False)),
        (b"\x08\x05", RpcStatus(5, "", False)),
        (b"\x08\x05\x12\x02no", RpcStatus(5, "no", False)),
        (b"\x12\x02no\x08\x05", RpcStatus(5, "no", False)),
        (b"\x08\x05\x08\x06", RpcStatus(6, "", False)),  # the last value counts
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", RpcStatus(-1, "", False)),
        (b"\x08\xff\xff\xff\xff\x0f", RpcStatus(-1, "", False)),
        (b"\x1a\x00", RpcStatus(0, "", True)),
        (b"\x08\x03\x1a\x03\x0a\x01a", RpcStatus(3, "", True)),
        (b"\x20\x01\x29" + bytes(8) + b"\x35" + bytes(4) + b"\x3a\x01x\x08\x05", RpcStatus(5, "", False)),  # unknown
    ],
)
def test_a_serialized_status_is_read(data: bytes, status: RpcStatus) -> None:
    assert read_status(data) == status


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # no value
        b"\x12\x05no",  # too short
        b"\x0a\x01x",  # code as text
        b"\x10\x01",  # message as a number
        b"\x12\x01\xff",  # no UTF-8
        b"\x1a\x01\x0a",  # a detail that is no Any
        b"\x00\x01",  # field 0
        b"\x0b",  # a group
        b"\x29\0",
        b"\x08" + b"\xff" * 10 + b"\x01",
    ],
)
def test_other_bytes_are_no_status(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_status(data)


@pytest.mark.parametrize(
    ("code", "message", "details"), [(0, "", []), (5, "é", []), (-1, "", [b""]), (300, "x" * 200, [b"\x0a\x01a", b""])]
)
def test_a_written_status_is_read_again(code: int, message: str, details: list[bytes]) -> None:
    assert read_status(write_status(code, message, details)) == RpcStatus(code, message, bool(details))


def test_protobuf_reads_what_is_written() -> None:
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    message = Status.FromString(write_status(3, "bad", [b"\x0a\x01a\x12\x01b"]))
    assert (message.code, message.message, message.details[0].type_url, message.details[0].value) == (
        3,
        "bad",
        "a",
        b"b",
    )


def test_an_any_is_recognized() -> None:
    assert is_any(b"")
    assert is_any(b"\x0a\x01a\x12\x01\xff")
    assert not is_any(b"\x0a\x01\xff")
    assert not is_any(b"\x08\x01")
    assert not is_any(b"\xff")
