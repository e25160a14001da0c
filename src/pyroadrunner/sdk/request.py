"""An HTTP request in a worker: read the server's JSON context and the body into a :class:`Request`. Pure.

The shape of the context is RoadRunner's (spec of http, "JSON form").
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec


class MalformedRequest(ValueError):
    """The context, or the body of a form, does not follow the server's protocol."""


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
    """An uploaded file. The server removes it after the response unless it was moved.

    Attributes:
        name: the file name from the client, without a folder.
        mime: the type from the client, or ``""``.
        size: bytes.
        error: PHP's ``UPLOAD_ERR_*`` number; 0 = no error.
        tmp_name: path of the temporary file; ``""`` on error.
    """

    name: str
    mime: str
    size: int
    error: int
    tmp_name: str


_decode = msgspec.json.Decoder(_Context).decode
_decode_tree = msgspec.json.Decoder(dict[str, Any]).decode


class Request:
    """One HTTP request, as parsed by the server.

    Attributes:
        remote_addr: address of the client, without port.
        protocol: ``HTTP/1.0``, ``HTTP/1.1`` or ``HTTP/2.0``.
        method: verbatim.
        uri: absolute, as requested.
        headers: values by name (``Content-Type``); without ``Host``.
        cookies: decoded values by name.
        raw_query: the part after the ``?``, undecoded.
        parsed: fields of a form; ``None`` if the request is not a form.
        body: the raw body; for a form its fields as JSON.
        uploads: files by field name, nested according to the names.
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
        """Parse a request.

        Raises:
            MalformedRequest: the context or the form is malformed.
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
        """The path of the uri, still percent-encoded, at least ``/``."""
        return urlsplit(self.uri).path or "/"

    @property
    def query(self) -> dict[str, list[str]]:
        """All values of each query parameter, decoded, in order."""
        return parse_qs(self.raw_query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """The values of a header joined with ``", "``, ignoring the case of its name; ``""`` if it is absent."""
        # The server writes names as in "Content-Type", so the first lookup nearly always succeeds.
        values = self.headers.get(name.title())
        if values is None:
            wanted = name.lower()
            values = [value for key, each in self.headers.items() if key.lower() == wanted for value in each]
        return ", ".join(values)


def _files(tree: Any) -> Any:
    """Convert each file in the server's tree of uploads to an :class:`UploadedFile`."""
    if isinstance(tree, list):
        return [_files(node) for node in tree]
    if not isinstance(tree, dict):
        raise MalformedRequest(f"{tree!r} is not an upload")
    # A file has a string under "tmpName"; a field that happens to have this name has a list or a tree there.
    if isinstance(tree.get("tmpName"), str):
        return msgspec.convert(tree, UploadedFile)
    return {key: _files(node) for key, node in tree.items()}
