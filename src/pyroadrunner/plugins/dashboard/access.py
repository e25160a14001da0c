"""Who may use the dashboard: secrets, sessions, failed attempts, hosts and origins. Pure.

Theory of operation. A browser signs in once and gets two secrets: a cookie (HttpOnly, SameSite=Strict), and a key that
its scripts keep in the storage of the origin and send as a header. Every request for data needs both:

- another site can't send the header, nor read the key (CSRF);
- a server on another port of the same host gets the cookie, since cookies know no ports, but not the key;
- a script that has got into the page reads the key, but not the cookie.

Programs send the token, or name and password, with each request instead (``Authorization``).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256

_MOST_SESSIONS = 200
_MOST_FAILURES = 10  # of one client within the window
_WINDOW = 60.0  # seconds
_MOST_CLIENTS = 1000  # whose failures are remembered


@dataclass(slots=True)
class Session:
    """A signed-in browser.

    Attributes:
        user: name for the log.
        key: the secret of its scripts.
        seen: time of its last request.
    """

    user: str
    key: str
    seen: float


class Secrets:
    """The secrets of the config.

    Args:
        token: empty = none.
        users: passwords by name.
    """

    def __init__(self, token: str, users: Mapping[str, str]) -> None:
        self._token = _digest(token) if token else b""
        self._users = {name: _digest(password) for name, password in users.items()}

    def __repr__(self) -> str:
        return f"Secrets(token={bool(self._token)}, users={list(self._users)})"

    @property
    def has_token(self) -> bool:
        return bool(self._token)

    @property
    def has_users(self) -> bool:
        return bool(self._users)

    def check_token(self, token: str) -> str | None:
        """The name for the log if the token is right."""
        return "token" if self._token and hmac.compare_digest(self._token, _digest(token)) else None

    def check_password(self, name: str, password: str) -> str | None:
        """The name if the password is right; takes as long for an unknown name."""
        expected = self._users.get(name, b"\0" * 32)
        return name if hmac.compare_digest(expected, _digest(password)) else None

    def check_header(self, value: str) -> str | None:
        """The same for the value of ``Authorization``."""
        scheme, _, rest = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            return self.check_token(rest.strip())
        if scheme.lower() == "basic":
            try:
                name, colon, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return self.check_password(name.lower(), password) if colon else None
        return None


class Sessions:
    """The signed-in browsers; the least recently used one gives way beyond 200.

    Args:
        ttl: seconds without a request after which a session ends.
        random: makes a secret.
    """

    def __init__(self, ttl: float, clock: Callable[[], float], random: Callable[[], str]) -> None:
        self._ttl = ttl
        self._clock = clock
        self._random = random
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()  # by digest: the table does not hold the secrets

    def __repr__(self) -> str:
        return f"Sessions({len(self._sessions)})"

    def begin(self, user: str) -> tuple[str, Session]:
        """The value of the cookie, and the session."""
        cookie = self._random()
        session = Session(user, self._random(), self._clock())
        self._sessions[_digest(cookie)] = session
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, which is alive from now on."""
        digest = _digest(cookie)
        session = self._sessions.get(digest)
        now = self._clock()
        if session is None:
            return None
        if now - session.seen > self._ttl:
            del self._sessions[digest]
            return None
        session.seen = now
        self._sessions.move_to_end(digest)
        return session

    def end(self, cookie: str) -> None:
        """Sign out. Idempotent."""
        self._sessions.pop(_digest(cookie), None)


class Failures:
    """Counts failed attempts per client, so that secrets can't be guessed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._clients: OrderedDict[str, tuple[float, int]] = OrderedDict()  # begin of the window, failures

    def __repr__(self) -> str:
        return f"Failures({len(self._clients)} clients)"

    def blocked(self, client: str) -> float:
        """Seconds that the client has to wait; 0 = none."""
        began, count = self._clients.get(client, (0.0, 0))
        return max(0.0, began + _WINDOW - self._clock()) if count >= _MOST_FAILURES else 0.0

    def add(self, client: str) -> None:
        """Count a failure."""
        now = self._clock()
        began, count = self._clients.pop(client, (now, 0))
        if now - began >= _WINDOW:
            began, count = now, 0
        self._clients[client] = (began, count + 1)
        while len(self._clients) > _MOST_CLIENTS:
            self._clients.popitem(last=False)


def host_allowed(host: str, names: Collection[str]) -> bool:
    """Whether a request for this ``Host`` may be served: an IP address, ``localhost``, or a name of the config. A name
    of a stranger that has been made to point here (DNS rebinding) may not.

    Args:
        host: with or without a port.
        names: lower-case; ``*`` = any.
    """
    name, port = split_host(host)
    if not name or not (port.isdecimal() or not port):
        return False
    if "*" in names or name in names or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def same_origin(origin: str, host: str) -> bool:
    """Whether an ``Origin`` is that of a page of this ``Host``. The scheme does not count: a proxy may add HTTPS."""
    scheme, colon, rest = origin.partition("://")
    if not colon or scheme not in ("http", "https") or not rest:
        return False
    default = "443" if scheme == "https" else "80"
    name, port = split_host(rest)
    own, own_port = split_host(host)
    return name == own and (port or default) == (own_port or default)


def split_host(host: str) -> tuple[str, str]:
    """Name and port of ``Host``, in lower case; the port may be empty. An IPv6 address loses its brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
