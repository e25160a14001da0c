"""An index of descriptors: what reflection looks up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto


class Descriptors:
    """Files by name, by the symbols that they define, and by their extensions.

    Sets are independent: a file of a later set that has the name of another file gets a name of its own. Of several
    definitions of a symbol the first counts.
    """

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._imports: dict[str, tuple[str, ...]] = {}
        self._symbols: dict[str, str] = {}
        self._extensions: dict[str, dict[int, str]] = {}

    def __repr__(self) -> str:
        return f"Descriptors({len(self._files)} files, {len(self._symbols)} symbols)"

    def add(self, root: str, files: Sequence[FileDescriptorProto]) -> None:
        """Add a set.

        Args:
            root: tells files of one name apart.
            files: with all that they import, an imported file before those that import it.
        """
        renamed: dict[str, str] = {}
        for file in files:
            own = FileDescriptorProto()
            own.CopyFrom(file)
            for at, imported in enumerate(own.dependency):
                own.dependency[at] = renamed.get(imported, imported)
            data = own.SerializeToString(deterministic=True)
            if self._files.get(own.name, data) != data:
                renamed[own.name] = own.name = f"{root}/{own.name}"
                data = own.SerializeToString(deterministic=True)
            if own.name not in self._files:
                self._files[own.name] = data
                self._imports[own.name] = tuple(own.dependency)
                self._index(own)

    def file(self, name: str) -> bytes | None:
        """A serialized FileDescriptorProto."""
        return self._files.get(name)

    def file_of_symbol(self, symbol: str) -> str | None:
        """The name of the file that defines a message, field, enum, value, service or method; ``None`` = unknown."""
        return self._symbols.get(symbol.removeprefix("."))

    def file_of_extension(self, extended: str, number: int) -> str | None:
        """The name of the file that extends a message with a field; ``None`` = unknown."""
        return self._extensions.get(extended.removeprefix("."), {}).get(number)

    def extension_numbers(self, extended: str) -> list[int]:
        """Numbers of all known extensions of a message, sorted."""
        return sorted(self._extensions.get(extended.removeprefix("."), ()))

    def with_imports(self, name: str) -> Iterator[tuple[str, bytes]]:
        """A file, then all that it needs, each once: names and serialized descriptors."""
        todo, seen = [name], {name}
        while todo:
            current = todo.pop()
            if current in self._files:
                yield current, self._files[current]
                todo += [imported for imported in self._imports[current] if imported not in seen]
                seen.update(self._imports[current])

    def _index(self, file: FileDescriptorProto) -> None:
        prefix = f"{file.package}." if file.package else ""
        for symbol in _symbols(file, prefix):
            self._symbols.setdefault(symbol, file.name)
        for extension in _extensions(file.extension, file.message_type):
            numbers = self._extensions.setdefault(extension.extendee.removeprefix("."), {})
            numbers.setdefault(extension.number, file.name)


def _symbols(file: FileDescriptorProto, prefix: str) -> Iterator[str]:
    for service in file.service:
        yield prefix + service.name
        for method in service.method:
            yield f"{prefix}{service.name}.{method.name}"
    for enum in file.enum_type:
        yield prefix + enum.name
        for value in enum.value:
            yield prefix + value.name  # values are siblings of their enum
    for extension in file.extension:
        yield prefix + extension.name
    for message in file.message_type:
        yield from _symbols_of_message(message, prefix)


def _symbols_of_message(message: DescriptorProto, prefix: str) -> Iterator[str]:
    name = prefix + message.name
    yield name
    for field in (*message.field, *message.extension):
        yield f"{name}.{field.name}"
    for oneof in message.oneof_decl:
        yield f"{name}.{oneof.name}"
    for enum in message.enum_type:
        yield f"{name}.{enum.name}"
        for value in enum.value:
            yield f"{name}.{value.name}"
    for nested in message.nested_type:
        yield from _symbols_of_message(nested, f"{name}.")


def _extensions(
    own: Iterable[FieldDescriptorProto], messages: Iterable[DescriptorProto]
) -> Iterator[FieldDescriptorProto]:
    yield from own
    for message in messages:
        yield from _extensions(message.extension, message.nested_type)
