"""The worker files that ``rr init`` writes: templates of the PHP library, and one in Python."""

from __future__ import annotations

from pathlib import Path

from pyroadrunner.cli.init.project import Script
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.server.php_library import php_library

_PYTHON = '''\
"""The worker: it starts once and then answers one request after the other."""

from pyroadrunner.sdk import http


def handler(request: http.Request) -> str:
    return "Hello, world!\\n"


http.serve(handler)
'''

_APPLICATION = '''\
"""The worker: it loads the application once and then answers one request after the other."""

from pyroadrunner.sdk import {{protocol}}

{{protocol}}.serve("{{place}}")
'''


def worker_script(script: Script) -> str:
    """The text of a worker file.

    Raises:
        RoadRunnerError: this installation has no PHP library.
    """
    text = _OF_PYTHON.get(script.template) or _of_php(script.template)
    for name, value in script.values.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


_OF_PYTHON = {"hello.py": _PYTHON, "application.py": _APPLICATION}


def _of_php(template: str) -> str:
    folder = php_library()
    if not folder:
        raise RoadRunnerError("the PHP library is not part of this installation: install pyroadrunner from a wheel")
    return (Path(folder) / "workers" / f"{template}.php").read_text(encoding="utf-8")
