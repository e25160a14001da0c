from __future__ import annotations

from pathlib import Path

import pytest

from pyroadrunner.plugins.grpc import served
from pyroadrunner.plugins.grpc.schema.compiler import Compiled, _note_errors
from pyroadrunner.plugins.grpc.schema.errors import SchemaInvalid
from pyroadrunner.plugins.grpc.schema.reader import ProtoFile
from pyroadrunner.plugins.grpc.served import describe, read_served
from support.log import logged
from support.virtual_time import in_virtual_time

ECHO = "package a; service Echo { rpc Say(In) returns (Out); }"
HEALTH = "package grpc.health.v1; service Health { rpc Check(In) returns (Out); }"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "echo.proto").write_text(ECHO)
    return tmp_path


def test_all_errors_prevent_the_start() -> None:
    Path("bad.proto").write_text("service")
    with pytest.raises(SchemaInvalid) as caught:
        read_served(["bad.proto", "[", "echo.proto"])
    assert str(caught.value).splitlines() == [
        'grpc.proto[1]: "[": "[" is not closed',
        "grpc.proto[0]: bad.proto:1:8: expected a name, found the end of the file",
    ]


def test_the_servers_own_health_service_can_not_be_replaced(folder: Path) -> None:
    Path("health.proto").write_text(HEALTH)
    with logged("grpc") as lines:
        assert list(read_served(["*.proto"]).services) == ["a.Echo"]
    assert lines.messages == [
        f"{folder}/health.proto: the service grpc.health.v1.Health is the server's own; this one is not used"
    ]


@in_virtual_time
async def test_without_the_compiler_only_the_servers_own_services_are_described() -> None:
    with pytest.MonkeyPatch.context() as patch, logged("grpc") as lines:
        patch.setattr(served, "is_installed", lambda: False)
        descriptors = await describe(read_served(["echo.proto"]))
    assert descriptors.file_of_symbol("a.Echo") is None
    assert descriptors.file_of_symbol("grpc.health.v1.Health") == "grpc/health/v1/health.proto"
    assert lines.messages == ["reflection lists services but can't describe them: pip install 'pyroadrunner[grpc]'"]


@pytest.mark.parametrize(
    ("complaints", "wrong", "errors", "warnings"),
    [
        ("a.proto:1:2: Expected x.\n", {"a.proto"}, ["grpc.proto[0]: p/a.proto:1:2: Expected x."], []),
        ('a.proto:1:2: "X" is not defined.', {"a.proto"}, [], [("p/a.proto:1:2", '"X" is not defined.')]),
        ("b.proto:1:2: Expected x.", {"b.proto"}, [], [("/r/b.proto:1:2", "Expected x.")]),
        ("a.proto:1:1: warning: unused\n", {"a.proto"}, [], [("/r", "a.proto:1:1: warning: unused")]),
        ("Segmentation fault\n", {"a.proto"}, [], [("/r", "Segmentation fault")]),
        ("", {"a.proto"}, [], [("/r", "the compiler of grpcio-tools failed")]),
        ("z.proto:1:1: X.", {"a.proto"}, [], [("/r/z.proto:1:1", "X."), ("/r", "z.proto:1:1: X.")]),
    ],
)
def test_lines_of_the_compiler_are_sorted_and_a_run_always_leaves_a_file_out(
    complaints: str, wrong: set[str], errors: list[str], warnings: list[tuple[str, str]]
) -> None:
    file = ProtoFile(path="p/a.proto", entry=0, root="/r", name="a.proto", imports=frozenset({"b.proto"}))
    compiled = Compiled()
    assert _note_errors(complaints, "/r", [file], compiled) == wrong
    assert [str(error) for error in compiled.errors] == errors
    assert compiled.warnings == warnings
