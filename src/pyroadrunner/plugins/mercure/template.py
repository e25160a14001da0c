"""URI templates (RFC 6570) as patterns of topics. Pure.

A template matches what its expansion may be, as the reference hub sees it (github.com/yosida95/uritemplate, the method
``Regexp``): names of variables and lengths of prefixes do not count.

Python's ``re`` backtracks, and a template such as ``{a}{b}{c}{d}`` would take it for ever, so a template becomes an
automaton whose states are found as they are needed: a match takes one look-up for each character of the topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import ascii_letters, digits, hexdigits

MAX_STATES = 2000  # of an automaton; then it forgets them

_UNRESERVED = frozenset(ascii_letters + digits + "-._~")
_RESERVED = frozenset(":/?#[]@!$&'()*+,;=")
_HEX = frozenset(hexdigits)
# Operator: first sign, separator, whether reserved characters may occur, whether values have names.
_OPERATORS = {
    "": ("", ",", False, False),
    "+": ("", ",", True, False),
    "#": ("#", ",", True, False),
    ".": (".", ".", False, False),
    "/": ("/", "/", False, False),
    ";": (";", ";", False, True),
    "?": ("?", "&", False, True),
    "&": ("&", "&", False, True),
}
_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_VARIABLE = re.compile(
    r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*(\*|:[1-9][0-9]{0,3})?"
)

_States = frozenset[int]


class InvalidTemplate(ValueError):
    """The text is not a URI template."""


class Template:
    """A compiled template.

    Raises:
        InvalidTemplate
    """

    def __init__(self, text: str) -> None:
        self._text = text
        # A state: the characters that lead on, each with the next state; and states that are reached without one.
        self._moves: list[list[tuple[frozenset[str], int]]] = []
        self._free: list[list[int]] = []
        self._found: dict[_States, dict[str, _States]] = {}
        self._end = self._compile()
        self._start = self._closure([0])
        self.prefix = text[: text.index("{")] if "{" in text else text

    def __repr__(self) -> str:
        return f"Template({self._text!r})"

    def matches(self, topic: str) -> bool:
        """Whether the whole topic is an expansion."""
        if not topic.startswith(self.prefix):
            return False
        found = self._found
        states = self._start
        for character in topic:
            moves = found.get(states)
            if moves is None:
                if len(found) >= MAX_STATES:
                    found.clear()
                moves = found[states] = {}
            after = moves.get(character)
            if after is None:
                after = self._step(states, character)
                if len(moves) < 256:
                    moves[character] = after
            if not after:
                return False
            states = after
        return self._end in states

    # -- private -----------------------------------------------------------------------------------------------------

    def _step(self, states: _States, character: str) -> _States:
        return self._closure(
            target for state in states for accepted, target in self._moves[state] if character in accepted
        )

    def _closure(self, states: Iterable[int]) -> _States:
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state not in reached:
                reached.add(state)
                waiting += self._free[state]
        return frozenset(reached)

    def _compile(self) -> int:
        state = self._state()
        at = 0
        for found in _EXPRESSION.finditer(self._text):
            state = self._literal(state, self._text[at : found.start()])
            state = self._expression(state, found[1])
            at = found.end()
        return self._literal(state, self._text[at:])

    def _literal(self, state: int, text: str) -> int:
        if "{" in text or "}" in text:
            raise InvalidTemplate(f"a brace is not closed: {self._text[:200]}")
        for character in text:
            state = self._move(state, frozenset(character))
        return state

    def _expression(self, state: int, text: str) -> int:
        operator = text[:1] if text[:1] in _OPERATORS else ""
        first, separator, reserved, named = _OPERATORS[operator]
        variables = [_VARIABLE.fullmatch(one) for one in text[len(operator) :].split(",")]
        if not all(variables):
            raise InvalidTemplate(f"an expression is malformed: {{{text[:200]}}}")
        explodes = any(one is not None and one[1] == "*" for one in variables)
        accepted = _UNRESERVED | (_RESERVED if reserved else frozenset(",=" if named or explodes else ","))
        end = self._state()
        self._free[state].append(end)  # every variable may be undefined
        inner = self._run(self._literal(state, first), accepted)
        self._free[inner].append(end)
        if explodes:
            again = self._run(self._literal(inner, separator), accepted)
            self._free[again].append(inner)
        else:
            for _ in variables[1:]:
                inner = self._run(self._literal(inner, separator), accepted)
                self._free[inner].append(end)
        return end

    def _run(self, state: int, accepted: frozenset[str]) -> int:
        """Any number of characters, or percent-encoded bytes."""
        loop = self._state()
        self._free[state].append(loop)
        self._moves[loop].append((accepted, loop))
        hexadecimal = self._move(self._move(loop, frozenset("%")), _HEX)
        self._moves[hexadecimal].append((_HEX, loop))
        return loop

    def _state(self) -> int:
        self._moves.append([])
        self._free.append([])
        return len(self._moves) - 1

    def _move(self, state: int, accepted: frozenset[str]) -> int:
        target = self._state()
        self._moves[state].append((accepted, target))
        return target
