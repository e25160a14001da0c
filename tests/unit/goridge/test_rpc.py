"""Method calls to frames and back."""

from __future__ import annotations

import pytest

from pyroadrunner.goridge.errors import LocalFrameError, RemoteFrameError
from pyroadrunner.goridge.frame import Flag, Frame
from pyroadrunner.goridge.rpc import (
    Call,
    IllFormedMethod,
    encode_call,
    encode_error,
    encode_result,
    read_answer,
    read_call,
    split_method,
)
from support.frames import VECTORS

WIRE = {vector.name: vector for vector in VECTORS}


@pytest.mark.parametrize(
    ("name", "body"), [("rpc call", b"true"), ("rpc call with a string", b'"http"')], ids=["bool", "string"]
)
def test_a_call_is_encoded_as_in_goridge(name: str, body: bytes) -> None:
    assert encode_call(1, b"informer.Workers", body, Flag.JSON) == WIRE[name].wire
    call = read_call(WIRE[name].frame)
    assert (call.sequence, call.method, call.body, call.codec) == (1, b"informer.Workers", body, Flag.JSON)


def test_a_result_is_encoded_as_in_goridge() -> None:
    call = read_call(WIRE["rpc call"].frame)
    assert encode_result(call, b'{"workers":null}') == WIRE["rpc reply"].wire


def test_an_error_is_encoded_as_in_goridge() -> None:
    call = read_call(WIRE["rpc call"].frame)
    text = "invalid character 't' looking for beginning of value"
    assert encode_error(call, text) == WIRE["rpc error of the decoder"].wire
    unknown = Call(5, b"nope.Nope", b"", Flag.JSON)
    assert encode_error(unknown, "rpc: can't find service nope.Nope") == WIRE["rpc error of the service"].wire


def test_results_and_errors_are_distinguished() -> None:
    result = read_answer(WIRE["rpc reply"].frame)
    assert (result.sequence, result.method, result.body, result.failed) == (
        1,
        b"informer.Workers",
        b'{"workers":null}',
        False,
    )
    error = read_answer(WIRE["rpc error of the service"].frame)
    assert (error.body, error.failed) == (b"rpc: can't find service nope.Nope", True)


@pytest.mark.parametrize(
    ("flags", "codec"),
    [
        (0xFC, Flag.PROTO),
        (0x7C, Flag.JSON),
        (0x74, Flag.RAW),
        (0x30, Flag.MSGPACK),
        (0x20, Flag.GOB),
        (0x00, 0),
        (0x43, 0),
        (0x49, Flag.JSON),
    ],
)
def test_one_codec_wins_if_several_bits_are_set(flags: int, codec: int) -> None:
    assert read_call(Frame(flags, b"a.B", (1, 3))).codec == codec


def test_the_error_reply_to_a_call_without_codec_is_marked_gob() -> None:
    call = read_call(Frame(0, b"a.B", (1, 3)))
    assert encode_error(call, "no")[1] == 0x60


@pytest.mark.parametrize("options", [(), (1,), (1, 3, 0), (1, 4), (1, 0xFFFF_FFFF)], ids=str)
def test_a_malformed_call_is_an_error_of_the_peer(options: tuple[int, ...]) -> None:
    with pytest.raises(RemoteFrameError):
        read_call(Frame(Flag.JSON, b"a.B", options))
    with pytest.raises(RemoteFrameError):
        read_answer(Frame(Flag.JSON, b"a.B", options))


def test_a_name_may_fill_the_payload_or_be_empty() -> None:
    assert read_call(Frame(Flag.JSON, b"a.B", (1, 3))).body == b""
    assert read_call(Frame(Flag.JSON, b"a.B", (1, 0))).method == b""


def test_a_sequence_has_32_bits() -> None:
    assert read_call(Frame(8, b"a.B", (0xFFFF_FFFF, 3))).sequence == 0xFFFF_FFFF
    with pytest.raises(LocalFrameError):
        encode_call(1 << 32, b"a.B", b"", Flag.JSON)


def test_an_error_text_may_contain_surrogates() -> None:
    assert encode_error(Call(1, b"a.B", b"", Flag.JSON), "bad \udce9").endswith(b"bad ?")


def test_names_are_split_at_the_last_dot() -> None:
    assert split_method("a.b.C") == ("a.b", "C")
    assert split_method(".C") == ("", "C")
    with pytest.raises(IllFormedMethod, match="rpc: service/method request ill-formed: noservice"):
        split_method("noservice")
