"""The page that shows developers the stray output of a worker, with advice on where to write it instead. Pure."""

from __future__ import annotations

import re
from html import escape

from pyroadrunner.workers.errors import WorkerCrashed, describe_exit

# Colours of a terminal (ECMA-48); `dd()` uses them if it takes stdout for a terminal.
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:3em auto;padding:0 1em;color:#222;background:#fff}"
    "h1{font-size:1.4em}pre{background:#f4f4f4;border-left:4px solid #c33;padding:1em;white-space:pre-wrap}"
    "code{background:#f4f4f4;padding:0 .2em}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre,code{background:#2a2a2a}}"
)

_ADVICE = (
    "Its standard output carries its responses, so output of <code>echo</code>, <code>var_dump</code> or"
    " <code>print_r</code> corrupts them, and the worker is replaced. Write it elsewhere:</p>"
    "<ul><li>to the client: into the body of the response"
    " (<code>ob_start()</code> &hellip; <code>ob_get_clean()</code> collects the output);</li>"
    "<li>to the log: <code>error_log()</code> or <code>fwrite(STDERR, &hellip;)</code>;</li>"
    "<li>warnings of PHP: <code>display_errors=stderr</code> in <code>php.ini</code>, or"
    " <code>php -d display_errors=stderr worker.php</code>.</li></ul>"
)

# The page shows untrusted output of a worker: nothing in it may be executed.
HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
]


def debug_page(error: WorkerCrashed) -> bytes:
    """The page for a worker that printed to stdout (``garbage``), or exited with text on stderr."""
    ended = f"Worker {error.pid}, {escape(describe_exit(error.exit_status))}."
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Output of a worker</title>',
        f"<style>{_STYLE}</style>",
    ]
    if error.garbage:
        parts += [
            "<h1>The worker printed this instead of sending a response</h1>",
            _block(error.garbage),
            f"<p>{ended} {_ADVICE}",
        ]
        if error.stderr:
            parts += ["<h2>Its last lines on stderr</h2>", _block(error.stderr)]
    else:
        parts += ["<h1>The worker exited before it sent a response</h1>", f"<p>{ended} Its last lines on stderr:</p>"]
        parts.append(_block(error.stderr))
    parts.append(
        "<p>You see this page because <code>http.pool.debug</code> or <code>http.dev</code> is on.</p></html>\n"
    )
    return "".join(parts).encode()


def _block(text: str) -> str:
    return f"<pre>{escape(_TERMINAL.sub('', text))}</pre>"
