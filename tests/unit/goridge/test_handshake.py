"""The handshake: the request, the reply, and malformed replies."""

from __future__ import annotations

import pytest

from pyroadrunner.goridge.errors import HandshakeError, RelayError
from pyroadrunner.goridge.frame import Flag, Frame
from pyroadrunner.goridge.handshake import hello_pid, hello_request
from support.frames import VECTORS

BY_NAME = {vector.name: vector for vector in VECTORS}


def test_the_request_is_that_of_roadrunner() -> None:
    assert hello_request(1234) == BY_NAME["pid request"].wire


def test_phps_reply_without_a_codec_has_its_pid() -> None:
    assert hello_pid(BY_NAME["pid reply"].frame) == 4321


def test_codec_bits_and_other_keys_do_not_matter() -> None:
    assert hello_pid(Frame(Flag.CONTROL | Flag.PROTO, b' {"name": "x", "pid": 7} ')) == 7


def test_a_reply_without_the_control_flag_is_refused() -> None:
    with pytest.raises(HandshakeError) as error:
        hello_pid(Frame(Flag.JSON, b'{"pid":7}'))
    assert str(error.value) == "unexpected response, header is missing, no CONTROL flag"
    assert isinstance(error.value, RelayError)


@pytest.mark.parametrize("payload", [b'{"pid":0}', b'{"pid":-5}', b"{}", b'{"stop":true}'])
def test_an_invalid_pid_is_refused(payload: bytes) -> None:
    with pytest.raises(HandshakeError) as error:
        hello_pid(Frame(Flag.CONTROL, payload))
    assert str(error.value) == "pid should be greater than 0"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"pid",
        b"[]",
        b"null",
        b'{"pid":"7"}',
        b'{"pid":1.5}',
        b'{"pid":true}',
        b'{"pid":2147483648}',
        b'{"pid":' + b"9" * 4000 + b"}",
        b'{"pid":7}x',
        b"\xff",
        b'"\xff"',
        b'{"x":' + b"[" * 200_000,
    ],
)
def test_a_malformed_reply_is_refused_with_the_reason(payload: bytes) -> None:
    with pytest.raises(HandshakeError, match=r"unexpected response, the pid cannot be read: ."):
        hello_pid(Frame(Flag.CONTROL, payload))
