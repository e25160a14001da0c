from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.plugins.grpc.schema.errors import ProtoSyntaxError
from pyroadrunner.plugins.grpc.schema.outline import Outline, read_outline
from pyroadrunner.plugins.grpc.schema.services import Method, Service

ECHO = b"""\
// A comment with service Fake {}
syntax = "proto3";
package acme.v1;
import "google/protobuf/empty.proto";
import public 'other' ".proto";
option (my.option) = { a: [1, 2], b: "}" };
message Ping { message Inner { string service = 1; } reserved 2, 4 to max; map<string, Inner> m = 3; }
enum E { option allow_alias = true; A = 0; B = -1 [deprecated = true]; }
extend .google.protobuf.FieldOptions { string x = 50000; }
service Echo {
  option deprecated = true;
  rpc Say(Ping) returns (acme.v1.Ping) { option (google.api.http) = { get: "/v1/{x}" }; };
  rpc Watch (.acme.v1.Ping) returns (stream Ping);
  rpc stream(stream Ping) returns (stream .acme.v1.Ping) {}
  rpc Odd(stream) returns (google.protobuf.Empty);
  ;
}
;
service Empty {}
"""


def test_package_imports_services_and_methods_are_read() -> None:
    outline = read_outline(ECHO)
    assert (outline.package, outline.imports) == ("acme.v1", ("google/protobuf/empty.proto", "other.proto"))
    echo, empty = outline.services
    assert (echo.name, empty) == ("acme.v1.Echo", Service(name="acme.v1.Empty", methods={}))
    assert list(echo.methods.values()) == [
        Method(name="Say", input_type="Ping", output_type="acme.v1.Ping"),
        Method(name="Watch", input_type="acme.v1.Ping", output_type="Ping", server_streaming=True),
        Method(
            name="stream", input_type="Ping", output_type="acme.v1.Ping", client_streaming=True, server_streaming=True
        ),
        Method(name="Odd", input_type="stream", output_type="google.protobuf.Empty"),
    ]


def test_a_service_without_package_has_its_bare_name() -> None:
    assert [service.name for service in read_outline(b"\xef\xbb\xbfservice Bare {}").services] == ["Bare"]


def test_editions_and_visibility_are_read() -> None:
    outline = read_outline(b'edition = "2024"; import option "a.proto"; export message A {} local enum B { X = 0; }')
    assert outline == Outline(package="", imports=("a.proto",), services=())


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"", None),
        (b"syntax = proto3;", '1:10: expected a string, found "proto3"'),
        (b"hello", '1:1: expected a top-level statement (such as message or service), found "hello"'),
        (b"package 1;", '1:9: expected a name, found "1"'),
        (b"package a", '1:10: expected ";", found the end of the file'),
        (b"service S {\n  rpc M(A) returnz (A);\n}", '2:12: expected "returns", found "returnz"'),
        (b"service S {\n  rpd M(A) returns (A);\n}", '2:3: expected "rpc", "option" or "}", found "rpd"'),
        (b"service S {\n", '2:1: expected "rpc", "option" or "}", found the end of the file'),
        (b"message A {\n  message B {\n", '2:13: "{" is not closed'),
        (b"message A { [ } ]", '1:15: "}" closes nothing'),
        (b"option a = { };\noption b }", '2:10: expected ";", found "}"'),
        (b"\n\nmessage \xff {}", "3:1: the file is not UTF-8"),
    ],
)
def test_a_syntax_error_names_its_place(source: bytes, error: str | None) -> None:
    if error is None:
        assert read_outline(source) == Outline(package="", imports=(), services=())
        return
    with pytest.raises(ProtoSyntaxError) as caught:
        read_outline(source)
    assert str(caught.value) == error


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(ECHO.replace(b"(", b" ( ").split()) | st.binary(max_size=4), max_size=40).map(b" ".join)
)
def test_no_input_fails_in_another_way(source: bytes) -> None:
    try:
        read_outline(source)
    except ProtoSyntaxError:
        pass


@settings(deadline=None)
@given(st.integers(0, len(ECHO)), st.binary(max_size=3))
def test_no_damage_to_a_file_fails_in_another_way(at: int, put: bytes) -> None:
    try:
        read_outline(ECHO[:at] + put + ECHO[at + len(put) :])
        read_outline(ECHO[:at])
    except ProtoSyntaxError:
        pass


def test_deep_nesting_is_read() -> None:
    assert read_outline(b"message A " + b"{" * 100_000 + b"}" * 100_000).services == ()
