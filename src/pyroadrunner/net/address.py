"""``tcp://host:port`` and ``unix://path``: how RoadRunner writes where somebody listens. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pyroadrunner.errors import RoadRunnerError

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
        return f"tcp://{self.short}"

    @property
    def short(self) -> str:
        """``host:port``, as ``http.address`` is written; an IPv6 address in brackets."""
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

    @property
    def short(self) -> str:
        """As ``http.address`` is written."""
        return str(self)


Address = TcpAddress | UnixAddress


def parse_address(text: str, *, default_scheme: str = "") -> Address:
    """Read ``tcp://host:port``, ``tcp://:port`` or ``unix://path``.

    Args:
        default_scheme: of an address without one; empty = such an address is invalid.

    Raises:
        InvalidAddress: another scheme, no port, a port past 65535, an empty path.
    """
    scheme, separator, where = text.partition("://")
    if not separator and default_scheme:
        scheme, where = default_scheme, text
    if separator and scheme == "unix" and where and "://" not in where and "\0" not in where:
        return UnixAddress(where)
    host, colon, port = where.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if scheme == "tcp" and colon and port.isascii() and port.isdecimal() and int(port) <= 0xFFFF:
        if bracketed and ":" in host:
            return TcpAddress(host[1:-1], int(port))
        if not set(host) & set(":/[]"):
            return TcpAddress(host, int(port))
    raise InvalidAddress(text)
