"""The target of a request: path, query, host. Pure.

Lenient where a request stays unambiguous, as Go's: bytes that are not ASCII pass, and in the query also invalid percent
escapes. Strict where two servers could disagree.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pyroadrunner.httpd.http1.refusals import bad_request

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.%A-Za-z]+\])(?::[0-9]*)?")


def split_target(method: bytes, target: bytes) -> tuple[bytes, bytes | None, bytes | None]:
    """Split a request target.

    Args:
        target: not empty, without blanks and control characters.

    Returns:
        path; query without its ``?``, ``None`` if nothing follows the ``?``; the authority of an absolute target,
        ``None`` for the other forms. The path of ``OPTIONS *`` is ``*``.

    Raises:
        Refusal: it has none of the forms of RFC 9112 section 3.2 that an origin server accepts.
    """
    host = None
    if target[0] != 0x2F:
        if target == b"*" and method == b"OPTIONS":
            return target, b"", None
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise bad_request("target", "the request target is neither a path nor a URL")
        host, target = absolute.groups()
        if not target.startswith(b"/"):
            target = b"/" + target
    path, mark, query = target.partition(b"?")
    if b"%" in path and _BAD_ESCAPE.search(path):
        raise bad_request("target", "the path has an invalid percent escape")
    return path, query if query or not mark else None, host


@lru_cache(1024)
def is_host(host: bytes) -> bool:
    """Whether a ``Host`` value or an authority is a host with an optional port, without a user."""
    return _HOST.fullmatch(host) is not None
