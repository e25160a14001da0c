"""A command as one string, split into arguments. Pure.

RoadRunner splits at single spaces, knows no quotes, and splits at commas first (goridge-and-workers.md, section 5):
``php a.php --x=1,2`` fails there. Here quotes group, and commas separate only where nothing else can be meant.
"""

from __future__ import annotations

import re

# A comma before any blank or quote: `/usr/bin/php,/app/vendor/bin/roadrunner-worker` is what Laravel Octane passes with
# `-o server.command=` (http.md, section 7 item 4). No program is named like that, so it holds for files as well.
_COMMA_LIST = re.compile(r"[^\s,'\"]+,")

_PIECE = re.compile(
    r"""
      (?P<blank>\s+)
    | '(?P<single>[^']*)'
    | "(?P<double>(?:\\.|[^"\\])*)"
    | \\(?P<escaped>[\s'"])     # else a backslash is itself: App\Worker is a PHP class name
    | (?P<open>['"])
    | (?P<plain>[^\s'"\\]+|\\)
    """,
    re.VERBOSE | re.DOTALL,
)


def split_command(text: str) -> list[str]:
    r"""Arguments of a command line.

    Blanks separate; ``'...'`` and ``"..."`` group; a backslash escapes a blank or a quote and else stands for itself.
    When a comma comes before any blank or quote, the text is a list separated by commas instead.

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
