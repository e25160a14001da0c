"""Split a command in one string into arguments. Pure.

RoadRunner splits at single spaces, has no quotes, and splits at commas first (goridge-and-workers.md, section 5):
``php a.php --x=1,2`` fails there. Here quotes group, and commas separate only where the text is clearly a list.
"""

from __future__ import annotations

import re

# A comma before any blank or quote: Laravel Octane passes `/usr/bin/php,/app/vendor/bin/roadrunner-worker` with
# `-o server.command=` (http.md, section 7 item 4). No program has such a name, so the rule applies to files as well.
_COMMA_LIST = re.compile(r"[^\s,'\"]+,")

_PIECE = re.compile(
    r"""
      (?P<blank>\s+)
    | '(?P<single>[^']*)'
    | "(?P<double>(?:\\.|[^"\\])*)"
    | \\(?P<escaped>[\s'"])     # other backslashes are literal: App\Worker is a PHP class name
    | (?P<open>['"])
    | (?P<plain>[^\s'"\\]+|\\)
    """,
    re.VERBOSE | re.DOTALL,
)


def split_command(text: str) -> list[str]:
    r"""The arguments of a command line.

    Blanks separate; ``'...'`` and ``"..."`` group; a backslash escapes a blank or a quote and is otherwise literal.
    If a comma comes before any blank or quote, the text is a comma-separated list instead.

    Raises:
        ValueError: a quote is not closed.
    """
    if _COMMA_LIST.match(text):
        return [part.strip() for part in text.split(",") if part.strip()]
    words: list[str] = []
    word: str | None = None  # None between words, so that '' is an (empty) argument
    for piece in _PIECE.finditer(text):
        kind = piece.lastgroup
        if kind == "blank":
            if word is not None:
                words.append(word)
            word = None
        elif kind == "open":
            raise ValueError(f"has a {piece[0]} that is not closed")
        else:
            part = piece[kind or 0]
            if kind == "double":
                part = re.sub(r'\\(["\\])', r"\1", part)
            word = (word or "") + part
    if word is not None:
        words.append(word)
    return words
