"""Ask the server again and again, in a thread of its own: a slow server never blocks the keyboard."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pyroadrunner.cli.top.overview import Overview, take
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import Address
from pyroadrunner.sdk.rpc.blocking import RpcClient


class Poller:
    """Calls back from its thread, with each overview or with the reason why there is none."""

    def __init__(
        self,
        address: Address,
        interval: float,
        on_overview: Callable[[Overview], None],
        on_error: Callable[[RoadRunnerError], None],
    ) -> None:
        """
        Args:
            interval: seconds between two questions.
        """
        self._address = address
        self._interval = interval
        self._on_overview = on_overview
        self._on_error = on_error
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Ask for the first time now."""
        self._thread.start()

    def ask_now(self) -> None:
        """Ask without waiting for the end of the interval: something has just been changed."""
        self._wake.set()

    def stop(self) -> None:
        """Ask no more. Returns at once; a question on its way is given up at the end of the process."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        with RpcClient(self._address) as client:
            while not self._stopped:
                try:
                    found = take(client)
                except RoadRunnerError as error:
                    client.close()
                    self._on_error(error)
                else:
                    self._on_overview(found)
                self._wake.wait(self._interval)
                self._wake.clear()
