"""An HTTP request as a worker sees it: the server's JSON context and a body -> :class:`Request`. Pure.

The shape of the context is RoadRunner's (spec of http, "JSON form").
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec


class MalformedRequest(ValueError):
    """The context, or the body of a form, is not what the server's protocol says."""


class _Context(msgspec.Struct, rename="camel"):
    remote_addr: str
    protocol: str
    method: str
    uri: str
    headers: dict[str, list[str]] | None = None
    cookies: dict[str, str] | None = None
    raw_query: str = ""
    parsed: bool = False
    uploads: dict[str, Any] | None = None
    attributes: dict[str, str] | None = None


class UploadedFile(msgspec.Struct, frozen=True, rename="camel"):
    """A file that came with a request. The server removes it after the answer unless it was moved away.

    Attributes:
        name: the client's name for it, without any folder.
        mime: the client's word for its type, or ``""``.
        size: bytes.
        error: PHP's ``UPLOAD_ERR_*`` number; 0 = fine.
        tmp_name: where it lies now; ``""`` on error.
    """

    name: str
    mime: str
    size: int
    error: int
    tmp_name: str


_decode = msgspec.json.Decoder(_Context).decode
_decode_tree = msgspec.json.Decoder(dict[str, Any]).decode


class Request:
    """One HTTP request, as the server understood it.

    Attributes:
        remote_addr: address of the client, without port.
        protocol: ``HTTP/1.0``, ``HTTP/1.1`` or ``HTTP/2.0``.
        method: verbatim.
        uri: absolute, as it was asked for.
        headers: values by name (``Content-Type``); without ``Host``.
        cookies: decoded values by name.
        raw_query: what follows the ``?``, undecoded.
        parsed: fields of a form; ``None`` when the request is none.
        body: the raw body; of a form: its fields as JSON.
        uploads: files by field name, nested as the names say.
        attributes: set by the server's middleware.
    """

    __slots__ = (
        "attributes",
        "body",
        "cookies",
        "headers",
        "method",
        "parsed",
        "protocol",
        "raw_query",
        "remote_addr",
        "uploads",
        "uri",
    )

    def __init__(self, context: bytes, body: bytes = b"") -> None:
        """Read a request.

        Raises:
            MalformedRequest: context or form are not the server's.
        """
        try:
            head = _decode(context)
            self.parsed: dict[str, Any] | None = (_decode_tree(body) if body else {}) if head.parsed else None
            self.uploads: dict[str, Any] = _files(head.uploads) if head.uploads else {}
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedRequest(str(error)) from error
        self.remote_addr = head.remote_addr
        self.protocol = head.protocol
        self.method = head.method
        self.uri = head.uri
        self.headers = head.headers or {}
        self.cookies = head.cookies or {}
        self.raw_query = head.raw_query
        self.body = body
        self.attributes = head.attributes or {}

    def __repr__(self) -> str:
        return f"Request({self.method} {self.uri}, body={len(self.body)} B)"

    @property
    def path(self) -> str:
        """The path of the uri, still percent-encoded, ``/`` at least."""
        return urlsplit(self.uri).path or "/"

    @property
    def query(self) -> dict[str, list[str]]:
        """All values of each query parameter, decoded, in order."""
        return parse_qs(self.raw_query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """The values of a header joined with ``", "``, whatever the case of its name; ``""`` when it was not sent."""
        # The server writes names as in "Content-Type", so the first look nearly always finds it.
        values = self.headers.get(name.title())
        if values is None:
            wanted = name.lower()
            values = [value for key, each in self.headers.items() if key.lower() == wanted for value in each]
        return ", ".join(values)


def _files(tree: Any) -> Any:
    """The server's tree of uploads with each file in it turned into an :class:`UploadedFile`."""
    if isinstance(tree, list):
        return [_files(node) for node in tree]
    if not isinstance(tree, dict):
        raise MalformedRequest(f"{tree!r} stands where an upload is expected")
    # A file has a text under "tmpName"; a field that happens to be called so has a list or a tree there.
    if isinstance(tree.get("tmpName"), str):
        return msgspec.convert(tree, UploadedFile)
    return {key: _files(node) for key, node in tree.items()}
