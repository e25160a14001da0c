"""When to obtain a certificate: before the first connection, and again after two thirds of its lifetime."""

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

_RETRY = 3600.0  # seconds to the next attempt after a failure; servers block clients that ask too often
_RETRIES = 30  # minimum number of attempts during a certificate's lifetime, for short-lived ones
_CHECK = 86_400.0  # seconds; the clock may change, the machine may sleep: check at least once a day

log = Log("http")


class Acme:
    """The certificate of ``http.ssl.acme``.

    Args:
        challenge: how to prove control of the names.
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
        """The file with the certificate and its key."""
        return str(self._store.path)

    async def obtain(self) -> None:
        """Return once a valid certificate is available.

        Raises:
            TlsError: no certificate was issued.
        """
        if self._store.usable() is None:
            await self._issue()

    def keep(self, engine: TlsListener) -> None:
        """Renew the certificate from now on, for the running HTTPS listener."""
        self.challenge.serves(engine)
        self._task = asyncio.create_task(self._renew(engine), name="acme")

    def stop(self) -> None:
        """Stop renewing."""
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
                log.error("acme: the certificate could not be renewed", error=str(wrong), retry_in=pause)
            else:
                pause = 1.0  # also if the new certificate is already due for renewal
                await engine.reload()

    async def _issue(self) -> None:
        config = self._config
        log.info("acme: requesting a certificate", domains=self._domains, directory=config.directory)
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
        log.info("acme: certificate obtained", domains=self._domains)


async def _in_a_thread(work: Callable[[], None]) -> None:
    """Like ``asyncio.to_thread``, but the server does not wait for the thread when it stops."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if done.done():  # the caller was cancelled
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
