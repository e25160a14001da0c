"""When a certificate is had: before the first connection, and again when two thirds of its life are over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.httpd.tls_listener import TlsListener
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.tls.acme.challenge import Challenge
from pyroadrunner.plugins.http.tls.acme.issuer import issue
from pyroadrunner.plugins.http.tls.acme.store import Store
from pyroadrunner.plugins.http.tls.config import AcmeConfig

_RETRY = 3600.0  # seconds to the next try, after one that failed; servers lock those out that ask too often
_RETRIES = 30  # in a certificate's life at least, where it is a short one
_CHECK = 86_400.0  # seconds; a clock may be set, a machine may sleep: look again after a day at most

log = Log("http")


class Acme:
    """The certificate of ``http.ssl.acme``.

    Args:
        challenge: how the names are shown to be ours.
    """

    def __init__(self, config: AcmeConfig, challenge: Challenge) -> None:
        self._config = config
        self._domains = list(dict.fromkeys(domain.lower() for domain in config.domains))
        self._store = Store(Path(config.cache_dir or "rr_cache_dir"), config.directory, self._domains)
        self.challenge = challenge
        self._task: asyncio.Task[None] | None = None

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

    def keep(self, engine: TlsListener) -> None:
        """Renew it from now on, for HTTPS that is up."""
        self.challenge.serves(engine)
        self._task = asyncio.create_task(self._renew(engine), name="acme")

    def stop(self) -> None:
        """Renew no more."""
        if self._task is not None:
            self._task.cancel()

    async def _renew(self, engine: TlsListener) -> None:
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
                await engine.reload()

    async def _issue(self) -> None:
        config = self._config
        log.info("acme: asking for a certificate", domains=self._domains, directory=config.directory)
        async with self.challenge.open():
            await _in_a_thread(
                lambda: issue(
                    self._store,
                    directory=config.directory,
                    email=config.email,
                    domains=self._domains,
                    kind=self.challenge.kind,
                    expect=self.challenge.expect,
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
