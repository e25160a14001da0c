"""Parse YAML like Go, with the line of every key.

RoadRunner reads its files with Go's yaml.v3 (rpc-cli-config.md, section 1.1). PyYAML's own constructor implements
YAML 1.1: it reads ``yes`` and ``on`` as booleans and ``0:8`` as 8 (base 60). So the C parser only composes nodes, and
this module reads the plain scalars. Dates stay text: no key of a config is a point in time.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.cyaml import CBaseLoader
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pyroadrunner.config.origin import KeyPath
from pyroadrunner.config.values import parse_whole

_PLAIN = "!plain"  # the resolver's tag below for a scalar without quotes and without a tag
_TAG = "tag:yaml.org,2002:"
_DEEPEST = 100  # nested maps and lists
_MOST_REPEATED = 100_000  # values that aliases repeat; ten lines of aliases can stand for billions
_TYPED = frozenset({_PLAIN, f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool", f"{_TAG}null"})

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class TextFault(Exception):
    """A file that can't be parsed: the problem and its position (1-based; ``None`` if unknown)."""

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


class _Composer(CBaseLoader):
    """Composes nodes only. Its base resolves nothing, so the one rule below marks plain scalars."""


_Composer.add_implicit_resolver(_PLAIN, re.compile(""), None)


def parse_yaml(text: str) -> tuple[Any, dict[KeyPath, int]]:
    """The document, and the line of every key and list element by path. An empty document is ``None``.

    Raises:
        TextFault: not YAML, a key set twice in one map, an anchor that contains itself, or aliases that repeat too
            many values.
    """
    try:
        _refuse_depth(text)
        node = _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        problem = " ".join(part for part in (wrong.problem, wrong.context) if part)
        if mark and wrong.context_mark and wrong.context_mark.line != mark.line:
            problem += f" that starts on line {wrong.context_mark.line + 1}"
        if wrong.context == "while scanning an alias":
            problem += "; quote a value that begins with *, such as a cron expression"
        raise TextFault(problem, *((mark.line + 1, mark.column + 1) if mark else ())) from wrong
    except yaml.YAMLError as wrong:
        raise TextFault(" ".join(str(wrong).split())) from wrong
    reader = _NodeReader()
    return (None if node is None else reader.read(node, ())), reader.lines


def _refuse_depth(text: str) -> None:
    """Refuse deep nesting. The C composer recurses without a limit and would crash on a file of brackets; its event
    parser does not."""
    depth = 0
    for event in yaml.parse(text, Loader=CBaseLoader):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                mark = event.start_mark
                raise TextFault("maps or lists are nested too deep", mark.line + 1 if mark else None)
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def read_plain(text: str) -> Any:
    """Read a scalar without quotes by the rules of Go's yaml.v3: ``0755`` is 493, ``yes`` is a string."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    whole = parse_whole(text)
    if whole is not None:
        return whole
    return float(text) if _FLOAT.fullmatch(text) else text


class _NodeReader:
    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._open: set[int] = set()  # the nodes being read: an alias to one of them would recurse forever
        self._known: set[int] = set()  # the nodes that have been read; an alias leads to one of them again
        self._repeated = 0

    def read(self, node: Node, path: KeyPath) -> Any:
        self._count(node)
        if isinstance(node, ScalarNode):
            plain = node.tag in _TYPED or not node.tag.startswith(_TAG)
            return read_plain(node.value) if plain and not node.style else node.value
        if id(node) in self._open:
            raise TextFault("an anchor contains itself", node.start_mark.line + 1, node.start_mark.column + 1)
        self._open.add(id(node))
        try:
            return self._map(node, path) if isinstance(node, MappingNode) else self._list(node.value, path)
        finally:
            self._open.discard(id(node))

    def _count(self, node: Node) -> None:
        if id(node) not in self._known:
            self._known.add(id(node))
            return
        self._repeated += 1
        if self._repeated > _MOST_REPEATED:
            raise TextFault("aliases repeat more than 100000 values", node.start_mark.line + 1)

    def _list(self, nodes: list[Node], path: KeyPath) -> list[Any]:
        items = []
        for i, item in enumerate(nodes):
            here = (*path, i)
            self.lines[here] = item.start_mark.line + 1
            items.append(self.read(item, here))
        return items

    def _map(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        own: dict[str, int] = {}
        for key, value in sorted(node.value, key=lambda pair: not _is_merge(pair[0])):  # own keys override merged ones
            line = key.start_mark.line + 1
            if _is_merge(key):
                data.update(self._merged(value, path))
                continue
            if not isinstance(key, ScalarNode):
                raise TextFault("a key must be text", line, key.start_mark.column + 1)
            name = key.value
            if name in own:
                raise TextFault(f"`{name}` is set twice, first on line {own[name]}", line, key.start_mark.column + 1)
            own[name] = line
            here = (*path, name)
            self.lines[here] = line
            data[name] = self.read(value, here)
        return data

    def _merged(self, node: Node, path: KeyPath) -> dict[str, Any]:
        """The content of ``<<``: a map, or a list of maps of which the first wins."""
        parts = node.value[::-1] if isinstance(node, SequenceNode) else [node]
        data: dict[str, Any] = {}
        for part in parts:
            if not isinstance(part, MappingNode):
                raise TextFault(
                    "<< takes a map or a list of maps", node.start_mark.line + 1, node.start_mark.column + 1
                )
            data.update(self.read(part, path))
        return data


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.value == "<<" and key.tag in (_PLAIN, f"{_TAG}merge")
