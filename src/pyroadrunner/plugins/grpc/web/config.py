"""``grpc.web``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from pyroadrunner.config.values import StringList

_MAX_AGE = 600  # seconds; browsers take two hours at most


class GrpcWebConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``grpc.web``: calls from browsers (gRPC-Web) on the same port."""

    enabled: bool = False
    """Whether to serve gRPC-Web."""
    allowed_origin: StringList = msgspec.field(default_factory=list)
    """Sites whose pages may call, such as ``https://example.com``; one `*` in an origin matches any text, `*` alone =
    all. Empty = only pages of the same origin."""
    allow_credentials: bool = False
    """Whether a page of another site may send cookies."""
    max_age: Annotated[int, msgspec.Meta(ge=0)] = _MAX_AGE
    """Seconds for which browsers may remember that a page may call; 0 = not sent."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """Invalid patterns."""
        for at, origin in enumerate(self.allowed_origin):
            if origin.count("*") > 1:
                yield f"allowed_origin.{at}", f'"{origin}" has more than one `*`'

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Cookies for every site."""
        if self.allow_credentials and "*" in self.allowed_origin:
            yield "allow_credentials", "every site may call with the user's cookies; list the origins"
