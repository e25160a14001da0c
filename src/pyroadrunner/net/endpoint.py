"""Parse the forms of ``http.address``. Pure."""

from __future__ import annotations

import re

from pyroadrunner.net.address import Address, TcpAddress, UnixAddress
from pyroadrunner.net.errors import ListenError

SOCKET_MODE = 0o660  # of a unix socket: a web server in front connects as a member of the group

_FORMS = "write host:port, :port, [ipv6]:port, tcp://host:port or unix://path"
_ENDPOINT = re.compile(r"(?:tcp://)?(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]/]*)):(?P<port>[0-9]+)", re.ASCII)


def parse_endpoint(text: str, key: str = "http.address") -> Address:
    """Parse an address.

    Args:
        key: config key of the address, for error messages.

    Raises:
        ListenError: the text is not a valid address.
    """
    if text.startswith("unix://"):
        if path := text.removeprefix("unix://"):
            return UnixAddress(path)
        raise ListenError(f"{key} `{text}` has no path; {_FORMS}")
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        raise ListenError(f"{key} `{text}` is not a valid address; {_FORMS}")
    port = int(found["port"]) if len(found["port"]) < 6 else 65_536
    if port > 65_535:
        raise ListenError(f"{key} `{text}` has an invalid port; ports go from 1 to 65535")
    return TcpAddress(found["v6"] if found["v6"] is not None else found["host"], port)
