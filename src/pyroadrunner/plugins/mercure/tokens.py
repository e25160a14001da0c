"""Verifies tokens (RFC 7519)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import jwt
import msgspec
from jwt.api_jws import PyJWS

from pyroadrunner.bounded_cache import BoundedCache
from pyroadrunner.plugins.mercure.errors import BadToken
from pyroadrunner.plugins.mercure.grants import Grant, read
from pyroadrunner.plugins.mercure.keys import Keys
from pyroadrunner.plugins.mercure.selectors import Matcher

_MAX_TOKEN = 1 << 14  # characters
_ENTRIES = 10_000
_jws = PyJWS()

# The config is checked for short keys when the server starts; PyJWT would warn for every token.
if hasattr(jwt, "InsecureKeyLengthWarning"):
    warnings.filterwarnings("ignore", category=jwt.InsecureKeyLengthWarning)


class Verifier:
    """Verifies the tokens of publishers or subscribers. Verified tokens are remembered until the keys change.

    Args:
        keys: ``None`` = no token is valid.
        issuer, audience: see :func:`pyroadrunner.plugins.mercure.grants.read`.
        clock: Unix time.
    """

    def __init__(
        self, keys: Keys | None, matcher: Matcher, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._matcher = matcher
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._forget()
        if keys is not None:
            keys.on_change = self._forget

    def verify(self, token: str) -> Grant:
        """The rights of a token.

        Raises:
            BadToken
        """
        found = self._known[token]
        if isinstance(found, BadToken):
            raise found
        found.check_time(self._clock())
        return found

    def _forget(self) -> None:
        self._known: BoundedCache[str, Grant | BadToken] = BoundedCache(
            self._verify, entries=_ENTRIES, max_bytes=1 << 24, size=lambda token, _: 4 * len(token)
        )

    def _verify(self, token: str) -> Grant | BadToken:
        if self._keys is None:
            return BadToken("no key is configured")
        if len(token) > _MAX_TOKEN:
            return BadToken("it is too long")
        try:
            header = _jws.get_unverified_header(token)
            for key, algorithms in self._keys.candidates(header):
                try:
                    payload = _jws.decode(token, key, algorithms=algorithms)
                except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError, TypeError):
                    continue
                return read(header, msgspec.json.decode(payload), self._matcher, self._issuer, self._audience)
        except BadToken as wrong:
            return wrong
        except (jwt.PyJWTError, msgspec.DecodeError, ValueError):
            return BadToken("it is malformed")
        return BadToken("its signature or algorithm is wrong")
