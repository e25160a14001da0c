"""The lines of ``rr reset``."""

from __future__ import annotations

import json
import re

from pyroadrunner.cli.reset import render

STAMP = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"


def test_lines_begin_with_the_time_as_in_roadrunner() -> None:
    assert re.fullmatch(rf"{STAMP} resetting plugin: \[http\] ", render.begun("http"))
    assert re.fullmatch(rf"{STAMP} plugin reset: \[http\]", render.done("http"))
    assert re.fullmatch(rf"{STAMP} plugin was not reset: \[http\]: boom", render.failed("http", "boom"))


def test_json() -> None:
    assert json.loads(render.as_json(["http"], {"jobs": "boom"})) == {"reset": ["http"], "failed": {"jobs": "boom"}}
