from __future__ import annotations

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from pyroadrunner.plugins.grpc.schema.descriptors import Descriptors


def file(name: str, *imports: str, package: str = "p", message: str = "M") -> FileDescriptorProto:
    made = FileDescriptorProto(name=name, package=package, dependency=imports)
    nested = DescriptorProto(name="Inner", extension=[FieldDescriptorProto(name="e2", number=8, extendee=".x.Base")])
    made.message_type.add(name=message, nested_type=[nested]).field.add(name="f", number=1)
    made.message_type[0].oneof_decl.add(name="o")
    made.message_type[0].enum_type.add(name="Kind").value.add(name="GOOD", number=0)
    made.enum_type.add(name="Colour").value.add(name="RED", number=0)
    made.service.add(name="S").method.add(name="Call")
    made.extension.add(name="e1", number=7, extendee=".x.Base")
    return made


def test_each_symbol_names_its_file() -> None:
    descriptors = Descriptors()
    descriptors.add("/r", [file("a.proto")])
    symbols = ["p.M", "p.M.f", "p.M.o", "p.M.Kind", "p.M.GOOD", "p.M.Inner", "p.M.Inner.e2", "p.Colour", "p.RED", "p.S"]
    for symbol in [*symbols, "p.S.Call", "p.e1", ".p.M"]:
        assert descriptors.file_of_symbol(symbol) == "a.proto", symbol
    for symbol in ("M", "p", "p.M.RED", "p.M.Kind.GOOD", ""):
        assert descriptors.file_of_symbol(symbol) is None, symbol


def test_extensions_are_found_by_number() -> None:
    descriptors = Descriptors()
    descriptors.add("/r", [file("a.proto")])
    assert descriptors.extension_numbers("x.Base") == [7, 8]
    assert descriptors.extension_numbers("x.Other") == []
    assert descriptors.file_of_extension(".x.Base", 8) == "a.proto"
    assert descriptors.file_of_extension("x.Base", 9) is None


def test_a_file_comes_with_all_that_it_imports_once() -> None:
    descriptors = Descriptors()
    descriptors.add("/r", [file("d"), file("c", "d"), file("b", "d"), file("a", "b", "c"), file("other")])
    assert [name for name, _ in descriptors.with_imports("a")] == ["a", "c", "d", "b"]
    assert list(descriptors.with_imports("none")) == []


def test_files_of_one_name_with_different_content_are_told_apart() -> None:
    descriptors = Descriptors()
    descriptors.add("/r1", [file("common"), file("a", "common")])
    descriptors.add("/r2", [file("common", message="Other"), file("b", "common", package="q")])
    descriptors.add("/r3", [file("common")])
    assert [name for name, _ in descriptors.with_imports("a")] == ["a", "common"]
    (_, data), _ = descriptors.with_imports("b")
    assert FileDescriptorProto.FromString(data).dependency == ["/r2/common"]
    assert descriptors.file_of_symbol("p.Other") == "/r2/common"
    assert descriptors.file_of_symbol("p.S") == "common"
    assert "4 files" in repr(descriptors)
    assert descriptors.file("/r3/common") is None
