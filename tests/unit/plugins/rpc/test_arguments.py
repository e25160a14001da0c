"""Arguments that decoders refuse."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.goridge.frame import Flag
from pyroadrunner.plugins.rpc.arguments import readers
from pyroadrunner.plugins.rpc.errors import BadArgument
from support.messages import Order
from support.rpc import Metric

DEEP = {
    Flag.JSON: b'{"x":' + b"[" * 200_000,
    Flag.MSGPACK: b"\x81\xa1x" + b"\x91" * 200_000,
    Flag.PROTO: b"\x0b" * 200_000,  # groups in groups
}
# Not too deep for the decoder, but for the code that walks its result.
STEEP = b'{"name":%b,"names":%b}' % ((b"[" * 900 + b"]" * 900,) * 2)


@pytest.mark.parametrize("codec", [Flag.JSON, Flag.MSGPACK])
@pytest.mark.parametrize("argument", [str, bool, bytes, dict[str, Any], list[Metric], Metric])
def test_deeply_nested_data_is_a_bad_argument(argument: type, codec: Flag) -> None:
    with pytest.raises(BadArgument):
        readers(RpcMethod(print, argument))[codec](DEEP[codec])


@pytest.mark.parametrize("codec", DEEP)
def test_a_deeply_nested_message_is_refused(codec: Flag) -> None:
    with pytest.raises(BadArgument):
        readers(RpcMethod(print, message=Order))[codec](DEEP[codec])


@pytest.mark.parametrize("method", [RpcMethod(print, Metric), RpcMethod(print, message=Order)])
def test_nearly_too_deeply_nested_data_is_a_bad_argument(method: RpcMethod) -> None:
    with pytest.raises(BadArgument):
        readers(method)[Flag.JSON](STEEP)
