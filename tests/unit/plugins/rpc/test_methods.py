"""All codecs with all kinds of methods: arguments, results, and Go's error texts."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.goridge.frame import Flag
from pyroadrunner.goridge.rpc import Call, IllFormedMethod
from pyroadrunner.plugins.rpc.errors import BadArgument, BadResult, UnknownMethod, UnknownService
from pyroadrunner.plugins.rpc.methods import Method, Methods
from pyroadrunner.workers.info import WorkerInfo
from support.messages import Order
from support.rpc import Metric, worker

JSON, MSGPACK, RAW, PROTO, GOB = Flag.JSON, Flag.MSGPACK, Flag.RAW, Flag.PROTO, Flag.GOB
SAMPLE = Metric("a", 1.5, ["x"])


def method(argument: type = bool, message: type | None = None) -> Method:
    return Method("a.B", RpcMethod(lambda value: value, argument, message))


def call(codec: int, body: bytes = b"") -> Call:
    return Call(1, b"a.B", body, codec)


def pack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


# -- arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "codec", "body", "value"),
    [
        (str, JSON, b'"http"', "http"),
        (str, JSON, b' "a\\/b" \n', "a/b"),
        (bool, JSON, b"true", True),
        (int, JSON, b"12", 12),
        (float, JSON, b"12", 12.0),
        (list[str], JSON, b'["a"]', ["a"]),
        (dict[str, int], JSON, b'{"A":1}', {"A": 1}),
        (bytes, JSON, b'"aGk="', b"hi"),
        (Metric, JSON, b'{"name":"a","value":1.5,"labels":["x"]}', SAMPLE),
        (Metric, JSON, b'{"NAME":"a","vaLUE":1.5,"Labels":["x"],"other":{}}', SAMPLE),
        (Metric, JSON, b'{"name":"a","labels":null}', Metric("a")),
        (list[Metric], JSON, b'[{"Name":"a"}]', [Metric("a")]),
        (dict[str, Metric], JSON, b'{"Key":{"Name":"a"}}', {"Key": Metric("a")}),
        (Metric | None, JSON, b'{"Name":"a"}', Metric("a")),
        (WorkerInfo, JSON, msgspec.json.encode(worker(1)), worker(1)),
        (str, MSGPACK, pack("http"), "http"),
        (str, MSGPACK, pack(b"http"), "http"),
        (bool, MSGPACK, pack(True), True),
        (bytes, MSGPACK, pack(b"\xff"), b"\xff"),
        (Metric, MSGPACK, pack({"Name": "a", "Value": 1.5, "Labels": ["x"]}), SAMPLE),
        (Metric, MSGPACK, pack({"name": "a", "value": 1.5, "labels": ["x"]}), SAMPLE),
        (bytes, RAW, b"\x00\xff", b"\x00\xff"),
        (str, RAW, b"never looked at", ""),
    ],
)
def test_an_argument_is_decoded(argument: type, codec: int, body: bytes, value: object) -> None:
    assert method(argument).argument(call(codec, body)) == value


@pytest.mark.parametrize("codec", [JSON, MSGPACK, RAW])
@pytest.mark.parametrize("argument", [bool, str, int, float, bytes, list[str], dict[str, str], Metric])
def test_an_empty_body_is_the_zero_value(argument: type, codec: int) -> None:
    assert method(argument).argument(call(codec)) == argument()


@pytest.mark.parametrize(("codec", "body"), [(JSON, b" null\n"), (MSGPACK, b"\xc0")])
@pytest.mark.parametrize("argument", [bool, str, int, list[str], Metric])
def test_null_is_the_zero_value(argument: type, codec: int, body: bytes) -> None:
    assert method(argument).argument(call(codec, body)) == argument()


@pytest.mark.parametrize(
    ("argument", "body", "text"),
    [
        (str, b"true", "invalid character 't' looking for beginning of value"),
        (str, b"12", "json: cannot unmarshal number into Go value of type string"),
        (str, b"-", "json: cannot unmarshal number into Go value of type string"),
        (str, b"[1]", "json: cannot unmarshal array into Go value of type string"),
        (str, b'{"a":1}', "json: cannot unmarshal object into Go value of type string"),
        (str, b'"a" x', "invalid character 'x' after top-level value"),
        (str, b'"a', "json: string unexpected end of JSON input"),
        (bool, b"12", "json: bool unexpected end of JSON input"),
        (bool, b'"x"', "json: bool unexpected end of JSON input"),
        (bool, b"true,", "invalid character ',' after top-level value"),
        (int, b'"x"', "json: cannot unmarshal string into Go value of type int64"),
        (Metric, b'{"value":"x"}', "json: cannot unmarshal string into Go struct field value of type float64"),
        (Metric, b"12", "json: cannot unmarshal number into Go value of type struct"),
        (list[str], b'["a",1]', "json: cannot unmarshal number into Go value of type string"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_with_gos_text(argument: type, body: bytes, text: str) -> None:
    with pytest.raises(BadArgument) as refused:
        method(argument).argument(call(JSON, body))
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("argument", "body", "text"),
    [
        (str, b"\xc3", "msgpack: invalid code=c3 decoding string/bytes length"),
        (bool, b"\xa1x", "msgpack: invalid code=a1 decoding bool"),
        (Metric, b"\x93", "msgpack: "),
        (Metric, b"\xff", "msgpack: "),
    ],
)
def test_msgpack_of_the_wrong_type_is_refused(argument: type, body: bytes, text: str) -> None:
    with pytest.raises(BadArgument) as refused:
        method(argument).argument(call(MSGPACK, body))
    assert str(refused.value).startswith(text)


@pytest.mark.parametrize("body", [b'"\xff"', b"{", b'{"a"}', b"\x00", b"nul"])
@pytest.mark.parametrize("argument", [str, bool, Metric, list[str]])
def test_malformed_json_is_always_refused(argument: type, body: bytes) -> None:
    with pytest.raises(BadArgument):
        method(argument).argument(call(JSON, body))


@pytest.mark.parametrize("codec", [0, GOB])
@pytest.mark.parametrize("message", [None, Order])
def test_gob_and_no_codec_are_unknown(codec: int, message: type | None) -> None:
    with pytest.raises(BadArgument, match=r"^goridge_read_request_body: unknown decoder used in frame$"):
        method(str, message).argument(call(codec, b"x"))


@pytest.mark.parametrize("body", [b"", b"\x0a\x01x"])
def test_protobuf_is_for_methods_with_messages(body: bytes) -> None:
    with pytest.raises(BadArgument, match=r"^goridge_read_request_body: message type is not a proto$"):
        method(str).argument(call(PROTO, body))


# -- results -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "value", "body"),
    [
        (JSON, "2025.1.11", b'"2025.1.11"'),
        (JSON, False, b"false"),
        (JSON, None, b"null"),
        (JSON, b"{}", b'"e30="'),
        (JSON, SAMPLE, b'{"name":"a","value":1.5,"labels":["x"]}'),
        (MSGPACK, "x", pack("x")),
        (MSGPACK, b"x", pack(b"x")),
        (MSGPACK, {"list": [SAMPLE]}, pack({"list": [{"Name": "a", "Value": 1.5, "Labels": ["x"]}]})),
        (RAW, b"\x00{}", b"\x00{}"),
    ],
)
def test_a_result_is_encoded(codec: int, value: object, body: bytes) -> None:
    assert method().result(call(codec), value) == body


def test_msgpack_keys_of_a_worker_are_gos_field_names() -> None:
    keys = msgspec.msgpack.decode(method().result(call(MSGPACK), worker(1))).keys()
    assert list(keys)[:8] == [
        *("Pid", "Status", "NumExecs", "Created", "MemoryUsage", "CPUPercent", "Command", "StatusStr")
    ]


@pytest.mark.parametrize("value", ["2025.1.11", True, None, SAMPLE])
def test_raw_is_for_bytes_only(value: object) -> None:
    with pytest.raises(BadResult, match=r"^unknown Raw payload type$"):
        method().result(call(RAW), value)


@pytest.mark.parametrize("codec", [JSON, MSGPACK, PROTO, RAW])
def test_a_result_that_can_not_be_encoded_is_an_error(codec: int) -> None:
    with pytest.raises(BadResult):
        method().result(call(codec), object())


# -- protobuf ----------------------------------------------------------------------------------------------------------

ORDER = Order(storage="s", items=[{"key": "k", "value": b"\xff"}], process_num=1 << 40, names=["n"], env={"A": "b"})
PLAIN = {
    "storage": "s",
    "items": [{"key": "k", "value": "/w=="}],
    "process_num": 1 << 40,
    "names": ["n"],
    "env": {"A": "b"},
}


def test_a_message_is_encoded_as_protobuf() -> None:
    typed = method(message=Order)
    assert typed.argument(call(PROTO, ORDER.SerializeToString())) == ORDER
    assert Order.FromString(typed.result(call(PROTO), ORDER)) == ORDER
    assert typed.argument(call(PROTO)) == Order()


def test_a_message_is_encoded_as_json_like_gos_structs() -> None:
    typed = method(message=Order)
    assert typed.argument(call(JSON, json.dumps(PLAIN).encode())) == ORDER
    assert json.loads(typed.result(call(JSON), ORDER)) == PLAIN
    assert typed.result(call(JSON), Order()) == b"{}"


def test_a_message_is_encoded_as_msgpack_with_gos_field_names() -> None:
    typed = method(message=Order)
    plain = {
        "Storage": "s",
        "Items": [{"Key": "k", "Value": b"\xff"}],
        "ProcessNum": 1 << 40,
        "Names": ["n"],
        "Env": {"A": "b"},
    }
    assert typed.argument(call(MSGPACK, pack(plain))) == ORDER
    assert msgspec.msgpack.decode(typed.result(call(MSGPACK), ORDER)) == plain


@pytest.mark.parametrize(
    ("body", "order"),
    [
        (b"", Order()),
        (b"null", Order()),
        (b'{"STORAGE":"s","other":1,"items":null}', Order(storage="s")),
        (b'{"processNum":2}', Order(process_num=2)),
        (b'{"items":[{"Value":"' + base64.b64encode(b"v") + b'"}]}', Order(items=[{"value": b"v"}])),
    ],
)
def test_the_json_of_a_message_is_decoded_as_in_go(body: bytes, order: object) -> None:
    assert method(message=Order).argument(call(JSON, body)) == order


@pytest.mark.parametrize(
    ("codec", "body"),
    [
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b'"x"'),
        (JSON, b'{"storage":1}'),
        (JSON, b'{"items":{}}'),
        (JSON, b'{"items":[{"value":"x"}]}'),
        (JSON, b'{"env":[]}'),
        (MSGPACK, b"\xff"),
        (MSGPACK, pack(["x"])),
        (PROTO, b"\xff"),
    ],
)
def test_an_invalid_message_is_refused(codec: int, body: bytes) -> None:
    with pytest.raises(BadArgument):
        method(message=Order).argument(call(codec, body))


def test_raw_gives_a_message_method_its_zero_value() -> None:
    assert method(message=Order).argument(call(RAW, b"x")) == Order()


# -- names -------------------------------------------------------------------------------------------------------------


def test_methods_are_found_by_their_full_name_only() -> None:
    methods = Methods({"a.b": lambda: {"C": RpcMethod(str)}})
    assert methods.find(b"a.b.C").name == "a.b.C"
    with pytest.raises(UnknownMethod, match=r"^rpc: can't find method a.b.c$"):
        methods.find(b"a.b.c")
    with pytest.raises(UnknownService, match=r"^rpc: can't find service nope.Nope$"):
        methods.find(b"nope.Nope")
    with pytest.raises(UnknownService, match=r"^rpc: can't find service b.C$"):
        methods.find(b"b.C")
    with pytest.raises(IllFormedMethod, match=r"^rpc: service/method request ill-formed: noservice$"):
        methods.find(b"noservice")
    with pytest.raises(IllFormedMethod):
        methods.find(b"\xff\x00")
