"""When a certificate is had: before the first connection, and again when two thirds of its life are over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.acme.challenges import Answers, answering
from pyroadrunner.plugins.http.acme.issuer import issue
from pyroadrunner.plugins.http.acme.store import Store
from pyroadrunner.plugins.http.tls.config import AcmeConfig

_RETRY = 3600.0  # seconds to the next try, after one that failed; servers lock those out that ask too often
_RETRIES = 30  # in a certificate's life at least, where it is a short one
_STANDARD_PORT = 80
_CHECK = 86_400.0  # seconds; a clock may be set, a machine may sleep: look again after a day at most

log = Log("http")


class Acme:
    """The certificate of ``http.ssl.acme``.

    Args:
        plain_port: of ``http.address``, 0 without one.

    Attributes:
        answers: to what the ACME server asks on ``http.address``.
    """

    def __init__(self, config: AcmeConfig, plain_port: int) -> None:
        self._config = config
        self._domains = list(dict.fromkeys(domain.lower() for domain in config.domains))
        self._store = Store(Path(config.cache_dir or "rr_cache_dir"), config.directory, self._domains)
        self._port = config.alt_http_port or _STANDARD_PORT
        self._shared = self._port == plain_port
        self._task: asyncio.Task[None] | None = None
        self.answers: Answers = {}
        if config.challenge_type not in ("", "http-01"):
            log.warning(
                "http.ssl.acme.challenge_type is not part of this version: http-01 is used",
                value=config.challenge_type,
                port=self._port,
            )

    def __repr__(self) -> str:
        return f"Acme({', '.join(self._domains)})"

    @property
    def path(self) -> str:
        """The file that has the certificate and its key."""
        return str(self._store.path)

    async def obtain(self) -> None:
        """Return once there is a certificate that is valid.

        Raises:
            TlsError: there is none to be had.
        """
        if self._store.usable() is None:
            await self._issue()

    def keep(self, renewed: Callable[[], Awaitable[None]]) -> None:
        """Renew it from now on.

        Args:
            renewed: called after each time.
        """
        self._task = asyncio.create_task(self._renew(renewed), name="acme")

    def stop(self) -> None:
        """Renew no more."""
        if self._task is not None:
            self._task.cancel()

    async def _renew(self, renewed: Callable[[], Awaitable[None]]) -> None:
        pause = 0.0
        while True:
            found = self._store.certificate()
            now = datetime.now(UTC)
            wait = (found.renew_at - now).total_seconds() if found is not None else 0.0
            if max(wait, pause) > 0:
                await asyncio.sleep(min(max(wait, pause), _CHECK))
                pause = 0.0
                continue
            try:
                await self._issue()
            except RoadRunnerError as wrong:
                life = (found.until - found.since).total_seconds() if found is not None else _RETRY
                pause = max(1.0, min(_RETRY, life / _RETRIES))
                log.error("the certificate is not renewed", error=str(wrong), retry_in=pause)
            else:
                pause = 1.0  # also where a server makes out certificates that are old already
                await renewed()

    async def _issue(self) -> None:
        config = self._config
        log.info("acme: asking for a certificate", domains=self._domains, directory=config.directory)
        await _in_a_thread(
            lambda: issue(
                self._store,
                directory=config.directory,
                email=config.email,
                domains=self._domains,
                answers=self.answers,
                listening=nullcontext() if self._shared else answering(self._port, self.answers),
                root_ca=config.directory_ca,
            )
        )
        log.info("acme: there is a new certificate", domains=self._domains)


async def _in_a_thread(work: Callable[[], None]) -> None:
    """Like ``asyncio.to_thread``, in a thread that the server does not wait for when it stops."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            work()
        except Exception as wrong:
            error = wrong
        try:
            loop.call_soon_threadsafe(settle, error)
        except RuntimeError:
            pass  # the loop is closed: the server has stopped

    threading.Thread(target=run, daemon=True, name="acme").start()
    await done
