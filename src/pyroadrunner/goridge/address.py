"""``tcp://host:port`` and ``unix://path``: how RoadRunner writes where somebody listens. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyroadrunner.errors import RoadRunnerError

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\[\]/]*)):(?P<port>[0-9]{1,5})", re.ASCII)
_EVERYWHERE = ("", "0.0.0.0", "::")


class InvalidAddress(RoadRunnerError):
    """The text is no address."""

    def __init__(self, text: str) -> None:
        super().__init__(f"invalid socket DSN (tcp://:6001, unix://file.sock): `{text}`")
        self.text = text


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """``host`` may be empty: all interfaces."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://{self.host_port}"

    @property
    def host_port(self) -> str:
        """``host:port``, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def to_connect(self) -> TcpAddress:
        """Where somebody on this machine connects to: loopback, when it listens on all interfaces."""
        return TcpAddress("127.0.0.1", self.port) if self.host in _EVERYWHERE else self


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """``path`` may be relative, to the folder of the process."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


Address = TcpAddress | UnixAddress


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        InvalidAddress: another scheme, no port, a port past 65535, an empty path.
    """
    scheme, *rest = text.split("://")
    if len(rest) == 1:
        where = _HOST_PORT.fullmatch(rest[0])
        if scheme == "tcp" and where is not None and int(where["port"]) <= 0xFFFF:
            return TcpAddress(where["v6"] or where["host"] or "", int(where["port"]))
        if scheme == "unix" and rest[0] and "\0" not in rest[0]:
            return UnixAddress(rest[0])
    raise InvalidAddress(text)
