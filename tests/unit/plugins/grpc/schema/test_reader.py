from __future__ import annotations

from pathlib import Path

import pytest

from pyroadrunner.plugins.grpc.schema.reader import ProtoFile, Schema, read_schema

Tree = dict[str, str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(tree: Tree) -> None:
    for name, text in tree.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def service(name: str, package: str = "", imports: tuple[str, ...] = (), method: str = "M") -> str:
    lines = [f"package {package};"] if package else []
    return "\n".join(
        [*lines, *(f'import "{path}";' for path in imports), f"service {name} {{ rpc {method}(I) returns (O); }}"]
    )


def read(*entries: str) -> Schema:
    schema, errors = read_schema(entries)
    assert errors == []
    return schema


def compiled(schema: Schema, folder: Path) -> list[tuple[str, str]]:
    return [(str(Path(file.root).relative_to(folder)), file.name) for file in schema.files]


def test_services_of_imports_are_offered_each_under_its_own_package(folder: Path) -> None:
    write({"p/a.proto": service("A", "one", ("sub/b.proto",)), "p/sub/b.proto": service("B", "two", ("c.proto",))})
    write({"p/c.proto": service("C")})
    schema = read("p/a.proto")
    assert list(schema.services) == ["one.A", "two.B", "C"]
    assert [(file.root, file.name, file.imports) for file in schema.files] == [
        (f"{folder}/p", "a.proto", {"sub/b.proto", "c.proto"})
    ]
    assert (schema.notes, schema.warnings) == ((), ())


def test_duplicates_and_diamonds_are_harmless(folder: Path) -> None:
    write({"a.proto": service("A", "a", ("b.proto", "c.proto")), "d.proto": service("D", "a")})
    write({"b.proto": service("B", "a", ("d.proto",)), "c.proto": service("C", "a", ("d.proto",))})
    schema = read("a.proto", "*.proto", "a.proto")
    assert sorted(schema.services) == ["a.A", "a.B", "a.C", "a.D"]
    assert schema.warnings == ()


def test_cycles_are_harmless_but_not_compiled(folder: Path) -> None:
    write({"a.proto": service("A", "", ("b.proto",)), "b.proto": service("B", "", ("a.proto",))})
    schema = read("a.proto")
    assert list(schema.services) == ["A", "B"]
    assert schema.files == ()
    assert schema.notes == (("a.proto", "its imports form a cycle: a.proto -> b.proto -> a.proto"),)


def test_missing_and_invalid_imports_are_noted(folder: Path) -> None:
    write({"a.proto": service("A", "", ("none.proto", "bad.proto", "google/protobuf/empty.proto")), "bad.proto": "no"})
    schema = read("a.proto")
    assert list(schema.services) == ["A"]
    assert schema.files == ()
    assert [note for _, note in schema.notes] == [
        "the import none.proto was not found",
        f"the import bad.proto is not valid: {folder}/bad.proto:1:1:"
        ' expected a top-level statement (such as message or service), found "no"',
    ]


def test_well_known_types_are_not_missing(folder: Path) -> None:
    write({"a.proto": service("A", "", ("google/protobuf/empty.proto",))})
    assert compiled(read("a.proto"), folder) == [(".", "a.proto")]


def test_the_import_root_may_be_a_folder_above(folder: Path) -> None:
    write(
        {
            "proto/acme/v1/a.proto": service("A", "acme", ("acme/v1/b.proto",)),
            "proto/acme/v1/b.proto": service("B", "acme"),
        }
    )
    schema = read("proto/**/*.proto")
    assert list(schema.services) == ["acme.A", "acme.B"]
    assert compiled(schema, folder) == [("proto", "acme/v1/a.proto"), ("proto", "acme/v1/b.proto")]


def test_no_import_is_looked_for_above_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"b.proto": service("B"), "in/p/a.proto": service("A", "", ("b.proto",))})
    monkeypatch.chdir(folder / "in")
    assert list(read("p/a.proto").services) == ["A"]
    assert list(read("../in/p/a.proto").services) == ["A"]
    monkeypatch.chdir(folder)
    assert list(read("in/p/a.proto").services) == ["A", "B"]


def test_all_errors_of_listed_files_are_returned(folder: Path) -> None:
    write({"a.proto": "service A {\n  rpc M(I) returnz (O);\n}", "b.proto": service("B"), "c.proto": '"'})
    schema, errors = read_schema(["*.proto", "none.proto"])
    assert list(schema.services) == ["B"]
    assert [str(error) for error in errors] == [
        f'grpc.proto[1]: "none.proto": No such file or directory (looked in {folder})',
        'grpc.proto[0]: a.proto:2:12: expected "returns", found "returnz"',
        "grpc.proto[0]: c.proto:1:1: the string does not end on its line",
    ]


def test_the_servers_own_services_can_not_be_replaced(folder: Path) -> None:
    write({"a.proto": service("Health", "grpc.health.v1") + service("A")})
    schema, errors = read_schema(["a.proto"], builtin=["grpc.health.v1.Health"])
    assert errors == []
    assert list(schema.services) == ["grpc.health.v1.A"]
    assert schema.warnings == (
        (f"{folder}/a.proto", "the service grpc.health.v1.Health is the server's own; this one is not used"),
    )


def test_two_different_services_of_one_name_are_a_warning(folder: Path) -> None:
    write({"a.proto": service("A"), "b.proto": service("A", method="N"), "c.proto": service("A")})
    schema = read("a.proto", "b.proto", "c.proto")
    assert list(schema.services["A"].methods) == ["M"]
    assert schema.warnings == (
        (f"{folder}/b.proto", f"the service A is also declared in {folder}/a.proto, which is used"),
    )


def test_a_long_chain_of_imports_is_read(folder: Path) -> None:
    write({f"{at}.proto": service(f"S{at}", "", (f"{at + 1}.proto",)) for at in range(1500)})
    assert len(read("0.proto").services) == 1500


def test_an_empty_list_offers_nothing() -> None:
    assert read("") == Schema()
    assert ProtoFile.__name__ in repr(ProtoFile(path="a", entry=0, root="/", name="a", imports=frozenset()))
