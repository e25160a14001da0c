"""The ``fileserver`` plugin."""

from __future__ import annotations

from pyroadrunner.content.codings import NAMES, available
from pyroadrunner.contracts import HasConnections, HasTask, Plugin
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.plugins.fileserver.app import FileServer
from pyroadrunner.plugins.fileserver.config import FileServerConfig
from pyroadrunner.plugins.fileserver.errors import NothingToServe
from pyroadrunner.plugins.fileserver.mount import Mount

log = Log("fileserver")

_KEY = "fileserver.address"


class FileServerPlugin(Plugin, HasTask, HasConnections):
    """Serves the folders of its section, without workers."""

    name = "fileserver"

    def __init__(self, config: FileServerConfig) -> None:
        self._config = config
        self._mounts: list[Mount] = []
        self._listener: Http1Listener | None = None
        self._bound: BoundSockets | None = None

    def __repr__(self) -> str:
        return f"FileServerPlugin({self._listener!r}, {self._mounts})"

    @property
    def port(self) -> int:
        """The actual port, also if the config says 0."""
        return self._bound.port if self._bound is not None else 0

    async def start(self) -> None:
        """Bind the address and accept connections.

        Raises:
            NothingToServe: the section has no folders.
            ListenError: the address can't be listened on.
        """
        if not self._config.serve:
            raise NothingToServe
        codings = available(NAMES, "small")
        self._mounts = [Mount(one, codings) for one in self._config.serve]
        for mount in self._mounts:
            if not mount.has_folder():
                log.warning("the folder does not exist; its files are not found", root=mount.root)
        self._bound = BoundSockets(parse_endpoint(self._config.address, _KEY), _KEY)
        app = FileServer(self._mounts, etag=self._config.calculate_etag, weak=self._config.weak)
        self._listener = Http1Listener(app, self._bound, Limits(max_connections=share(8)), log=log)
        await self._listener.start()

    async def run(self) -> None:
        """Wait until the listener has stopped."""
        assert self._listener is not None
        await self._listener.run()

    def close_after_response(self) -> None:
        """Close each connection after its next response: another process has taken over the address."""
        if self._listener is not None:
            self._listener.close_after_response()

    async def stop(self, grace: float) -> None:
        """Stop accepting connections and let running responses end."""
        if self._listener is not None:
            if grace > 0:
                self._listener.close_after_response()
                await self._listener.drain()
            self._listener.refuse()
            await self._listener.finish(grace)
        for mount in self._mounts:
            mount.close()
