"""Reads what serving needs to know of a ``.proto`` file: package, imports, services, methods. Pure.

Messages, enums and options are skipped, and names of types stay as they are written: a file is usable even if its
imports are missing. ``compiler.py`` makes the full descriptors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyroadrunner.plugins.grpc.schema.errors import ProtoSyntaxError
from pyroadrunner.plugins.grpc.schema.services import Method, Service
from pyroadrunner.plugins.grpc.schema.tokens import Token, error_at, tokens

_BLOCKS = frozenset({"message", "enum", "extend"})
_CLOSED_BY = {"{": "}", "[": "]", "(": ")"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a file says.

    Attributes:
        package: empty = none.
        imports: paths, as written, in order.
        services: with their full names.
    """

    package: str
    imports: tuple[str, ...]
    services: tuple[Service, ...]


def read_outline(data: bytes) -> Outline:
    """Read the content of a file.

    Raises:
        ProtoSyntaxError: it is not valid, as far as it was read.
    """
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        raise ProtoSyntaxError(line, 1, "the file is not UTF-8") from wrong
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens: Iterator[Token] = tokens(source)
        self._token = next(self._tokens)
        self._package = ""
        self._imports: list[str] = []
        self._services: list[tuple[str, dict[str, Method]]] = []

    def read(self) -> Outline:
        while self._token.kind != "end":
            self._statement()
        prefix = f"{self._package}." if self._package else ""
        return Outline(
            package=self._package,
            imports=tuple(self._imports),
            services=tuple(Service(name=prefix + name, methods=methods) for name, methods in self._services),
        )

    def _statement(self) -> None:
        token = self._next()
        if token.value in ("syntax", "edition"):
            self._expect("=")
            self._text()
            self._expect(";")
        elif token.value == "package":
            self._package = self._name()
            self._expect(";")
        elif token.value == "import":
            if self._token.kind == "word":
                self._next()  # public, weak, option
            self._imports.append(self._text())
            self._expect(";")
        elif token.value == "option":
            self._skip_to_semicolon()
        elif token.value == "service":
            self._service()
        elif token.value in ("export", "local") and self._token.value in _BLOCKS:
            self._block()
        elif token.value in _BLOCKS:
            self._block(token)
        elif token.value != ";":
            raise self._wrong(token, "a top-level statement (such as message or service)")

    def _block(self, keyword: Token | None = None) -> None:
        keyword = keyword or self._next()
        self._name(leading_dot=keyword.value == "extend")
        self._skip_block(self._expect("{"))

    def _service(self) -> None:
        name = self._word()
        self._expect("{")
        methods: dict[str, Method] = {}
        while not self._take("}"):
            token = self._next()
            if token.value == "rpc":
                method = self._method()
                methods.setdefault(method.name, method)
            elif token.value == "option":
                self._skip_to_semicolon()
            elif token.value != ";":
                raise self._wrong(token, '"rpc", "option" or "}"')
        self._services.append((name, methods))

    def _method(self) -> Method:
        name = self._word()
        client_streaming, input_type = self._type()
        keyword = self._next()
        if keyword.value != "returns":
            raise self._wrong(keyword, '"returns"')
        server_streaming, output_type = self._type()
        if self._token.value == "{":
            self._skip_block(self._next())
        else:
            self._expect(";")
        return Method(
            name=name,
            input_type=input_type,
            output_type=output_type,
            client_streaming=client_streaming,
            server_streaming=server_streaming,
        )

    def _type(self) -> tuple[bool, str]:
        """``(stream pkg.Message)``: whether it is a stream, and the name."""
        self._expect("(")
        if self._token.value != "stream":
            name = self._name(leading_dot=True)
            self._expect(")")
            return False, name
        self._next()
        if self._take(")"):
            return False, "stream"  # a message of this name
        name = self._name(leading_dot=True)
        self._expect(")")
        return True, name

    def _name(self, *, leading_dot: bool = False) -> str:
        """A dotted name, without its leading dot."""
        if leading_dot:
            self._take(".")
        parts = [self._word()]
        while self._take("."):
            parts.append(self._word())
        return ".".join(parts)

    def _word(self) -> str:
        token = self._next()
        if token.kind != "word":
            raise self._wrong(token, "a name")
        return token.value

    def _text(self) -> str:
        """A string literal; adjacent literals are one string."""
        token = self._next()
        if token.kind != "text":
            raise self._wrong(token, "a string")
        text = token.value[1:-1]
        while self._token.kind == "text":
            text += self._next().value[1:-1]
        return text

    def _skip_to_semicolon(self) -> None:
        while True:
            token = self._next()
            if token.value == ";":
                return
            if token.value in _CLOSED_BY:
                self._skip_block(token)
            elif token.kind == "end" or token.value == "}":
                raise self._wrong(token, '";"')

    def _skip_block(self, opened: Token) -> None:
        """Skip to the mark that closes ``opened``; brackets inside must match."""
        open_marks = [opened]
        while open_marks:
            token = self._next()
            if token.kind == "end":
                raise error_at(self._source, open_marks[-1].offset, f"{open_marks[-1]} is not closed")
            if token.kind != "mark":
                continue
            if token.value in _CLOSED_BY:
                open_marks.append(token)
            elif token.value in "}])" and _CLOSED_BY[open_marks.pop().value] != token.value:
                raise error_at(self._source, token.offset, f"{token} closes nothing")

    def _expect(self, mark: str) -> Token:
        token = self._next()
        if token.value != mark:
            raise self._wrong(token, f'"{mark}"')
        return token

    def _take(self, mark: str) -> bool:
        if self._token.value != mark:
            return False
        self._next()
        return True

    def _next(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._token = next(self._tokens)
        return token

    def _wrong(self, token: Token, expected: str) -> ProtoSyntaxError:
        return error_at(self._source, token.offset, f"expected {expected}, found {token}")
