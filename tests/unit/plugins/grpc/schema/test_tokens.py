from __future__ import annotations

import pytest

from pyroadrunner.plugins.grpc.schema.errors import ProtoSyntaxError
from pyroadrunner.plugins.grpc.schema.tokens import tokens


def values(source: str) -> list[str]:
    return [token.value for token in tokens(source)][:-1]


def test_words_numbers_strings_and_marks() -> None:
    assert values('option a.b = -1.5e+3; x = 0x1F; y = "a\\"b//c" \'d\'; /* { */ z // }') == [
        *(
            "option",
            "a",
            ".",
            "b",
            "=",
            "-",
            "1.5e+3",
            ";",
            "x",
            "=",
            "0x1F",
            ";",
            "y",
            "=",
            '"a\\"b//c"',
            "'d'",
            ";",
            "z",
        ),
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("a\n  /* b\n", "2:3: the comment does not end"),
        ('x = "b\n";', "1:5: the string does not end on its line"),
        ("a\n\n\x01", "3:1: the character '\\x01' is not allowed"),
    ],
)
def test_an_error_names_line_and_column(source: str, error: str) -> None:
    with pytest.raises(ProtoSyntaxError) as caught:
        list(tokens(source))
    assert str(caught.value) == error
