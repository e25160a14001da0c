"""Sends webhooks over HTTP. Needs the library aiohttp."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import aiohttp

from pyroadrunner.plugins.websocket.pusher.webhooks import WebhookFailed, shown

_READ = 1 << 16  # bytes of a response; it is not used
_CONNECTIONS = 100


def open_session() -> aiohttp.ClientSession:
    """What all endpoints share. Close it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=True,
        auto_decompress=False,
    )


class HttpTransport:
    """Sends to a configured address, and to no other: redirects are not followed.

    Args:
        timeout: seconds, of an attempt.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, timeout: float) -> None:
        self.own = False
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    def __repr__(self) -> str:
        return f"HttpTransport({shown(self._url)})"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    await response.content.read(_READ)
                return response.status
        except TimeoutError as error:
            raise WebhookFailed(f"no response within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise WebhookFailed(str(error) or type(error).__name__) from error
