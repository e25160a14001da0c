"""The compiler of protobuf makes descriptors of the listed files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pyroadrunner.plugins.grpc.schema.compiler import Compiled, compile_files, is_installed
from pyroadrunner.plugins.grpc.schema.descriptors import Descriptors
from pyroadrunner.plugins.grpc.schema.reader import read_schema

TIME = 'import "google/protobuf/timestamp.proto";'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compiled(tree: dict[str, str], *entries: str) -> Compiled:
    for name, text in tree.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('syntax = "proto3";' + text)
    schema, errors = read_schema(entries)
    assert errors == []
    return asyncio.run(compile_files(schema.files))


def names(compiled: Compiled) -> list[set[str]]:
    return [{file.name for file in files} for _, files in compiled.sets]


def test_descriptors_have_imports_and_well_known_types() -> None:
    assert is_installed()
    fields = "google.protobuf.Timestamp t = 1; b.B b = 2;"
    made = compiled(
        {
            "one/-a b.proto": f'package a; {TIME} import "sub/b.proto"; message A {{ {fields} }}',
            "one/sub/b.proto": "package b; message B {} service S { rpc Watch(B) returns (stream B); }",
            "two/c.proto": "message C {}",
        },
        "**/*.proto",
    )
    assert names(made) == [{"sub/b.proto", "google/protobuf/timestamp.proto", "-a b.proto"}, {"c.proto"}]
    assert (made.errors, made.warnings) == ([], [])
    descriptors = Descriptors()
    for root, files in made.sets:
        descriptors.add(root, files)
    assert descriptors.file_of_symbol("b.S.Watch") == "sub/b.proto"
    assert {name for name, _ in descriptors.with_imports("-a b.proto")} == {
        *("-a b.proto", "sub/b.proto", "google/protobuf/timestamp.proto"),
    }


def test_a_file_with_a_wrong_type_and_those_that_import_it_are_left_out(folder: Path) -> None:
    made = compiled(
        {
            "a.proto": "package a;\nmessage A { Missing m = 1; }",
            "b.proto": 'package a; import "a.proto"; message B { A a = 1; }',
            "c.proto": "package a; message C {}",
        },
        "*.proto",
    )
    assert names(made) == [{"c.proto"}]
    assert made.errors == []
    assert made.warnings == [("a.proto:2:13", '"Missing" is not defined.')]


def test_an_error_inside_a_message_names_the_key(folder: Path) -> None:
    made = compiled({"a.proto": "\nmessage A { string a = ; }", "b.proto": "message B {}"}, "*.proto")
    assert names(made) == [{"b.proto"}]
    assert [str(error).rpartition(": ")[0] for error in made.errors] == ["grpc.proto[0]: a.proto:2:24"]


def test_an_error_in_an_import_is_a_warning(folder: Path) -> None:
    made = compiled({"a.proto": 'import "b.proto";', "b.proto": "\nmessage A { string a = ; }"}, "a.proto")
    assert names(made) == []
    assert made.errors == []
    assert [where for where, _ in made.warnings] == [f"{folder}/b.proto:2:24"]


def test_a_cancelled_compilation_leaves_no_process() -> None:
    async def cancel() -> None:
        Path("a.proto").write_text('syntax = "proto3";')
        schema, _ = read_schema(["a.proto"])
        task = asyncio.create_task(compile_files(schema.files))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
