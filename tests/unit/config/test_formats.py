"""Formats by extension."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.formats import parse
from pyroadrunner.config.yaml_text import TextFault

DATA = {"version": "3", "http": {"address": "x", "pool": {"num_workers": 4}}}


@pytest.mark.parametrize(
    ("extension", "text", "data"),
    [
        ("yaml", 'version: "3"\nhttp: {address: x, pool: {num_workers: 4}}', DATA),
        ("yml", 'version: "3"\nhttp: {address: x, pool: {num_workers: 4}}', DATA),
        ("json", '{"version": "3", "http": {"address": "x", "pool": {"num_workers": 4}}}', DATA),
        ("toml", 'version = "3"\n[http]\naddress = "x"\n[http.pool]\nnum_workers = 4', DATA),
        ("toml", "a = 2024-01-02\nb = [1.5, true]", {"a": "2024-01-02", "b": [1.5, True]}),
        ("env", "version=3\nhttp.address=$HOST\n", {"version": "3", "http.address": "$HOST"}),
        ("json", '{"a": "\\ud83d\\ude00", "b": "\\/"}', {"a": "\U0001f600", "b": "/"}),
        ("json", '{\n\t"a": 1e2\n}', {"a": 100.0}),
        *[(extension, " \n", None) for extension in ("yaml", "json", "toml", "env")],
    ],
)
def test_a_document_is_parsed(extension: str, text: str, data: Any) -> None:
    assert parse(text, extension)[0] == data


def test_json_has_line_numbers() -> None:
    _, lines = parse('{\n  "version": "3",\n\t"http": {\n    "address": "x"}}', "json")
    assert lines == {("version",): 2, ("http",): 3, ("http", "address"): 4}


def test_dotenv_has_line_numbers() -> None:
    assert parse("# c\nA=1\n", "env")[1] == {("A",): 2}


@pytest.mark.parametrize(
    ("extension", "text", "line"),
    [
        ("json", '{\n"a": }', 2),
        ("json", '{"a": 1,\n"a": 2}', 2),
        ("json", "[" * 100_000, None),
        ("json", '{"a": ' + "9" * 5000 + "}", None),
        ("toml", "a = ", None),
        ("env", "nonsense", 1),
        ("yaml", "[" * 100_000, 1),
        ("yaml", "- " * 100_000, 1),
    ],
)
def test_a_malformed_document_is_refused(extension: str, text: str, line: int | None) -> None:
    with pytest.raises(TextFault) as refused:
        parse(text, extension)
    assert refused.value.line == line


@pytest.mark.parametrize("extension", ["", "ini", "hcl"])
def test_an_unknown_extension_is_refused_with_the_known_ones(extension: str) -> None:
    with pytest.raises(TextFault, match=f'Unsupported Config Type "{extension}".*yaml, yml, json, toml, env, dotenv'):
        parse("a: 1", extension)
