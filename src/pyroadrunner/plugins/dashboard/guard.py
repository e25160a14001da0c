"""Who sends a request, and whether it may come at all. Every request passes here first."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyroadrunner.asgi import Scope
from pyroadrunner.contracts import RoadRunnerError
from pyroadrunner.plugins.dashboard.access import Failures, Secrets, Sessions, host_allowed, same_origin

KEY_HEADER = "x-dashboard-key"


class Refused(RoadRunnerError):
    """The request is not served."""

    def __init__(self, status: int, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends the request.

    Attributes:
        user: name for the log; empty = no user has signed in.
        cookie: of its session; empty = it has none.
        whole: whether it may read and act; with the cookie alone it gets the files of the page only.
    """

    user: str = ""
    cookie: str = ""
    whole: bool = False


class Guard:
    """Checks requests.

    Args:
        hosts: allowed names, besides ``localhost`` and addresses; lower-case.
        secure: whether the port serves HTTPS.
    """

    def __init__(
        self, secrets: Secrets, sessions: Sessions, failures: Failures, hosts: Collection[str], *, secure: bool
    ) -> None:
        self.secrets = secrets
        self.sessions = sessions
        self.failures = failures
        self._hosts = hosts
        # With this prefix browsers take the cookie from HTTPS alone, and for this host alone.
        self.cookie_name = "__Host-rr-dashboard" if secure else "rr-dashboard"
        self._secure = secure

    def check(self, scope: Scope, headers: Mapping[str, str]) -> Caller:
        """Return the caller.

        Raises:
            Refused: a foreign host or origin, a wrong secret, too many of those.
        """
        host = headers.get("host", "")
        if not host_allowed(host, self._hosts):
            raise Refused(403, "This host name is not allowed. Add it to dashboard.hosts in the config of the server.")
        self._check_origin(scope["method"], host, headers)
        if "authorization" in headers:
            return self._program(scope, headers["authorization"])
        cookie = self._cookie(headers)
        session = self.sessions.find(cookie) if cookie else None
        if session is None:
            return Caller()
        return Caller(session.user, cookie, whole=_equal(headers.get(KEY_HEADER, ""), session.key))

    def set_cookie(self, cookie: str, origin: str = "") -> str:
        """The header that keeps a session.

        Args:
            cookie: empty = the header that ends it.
            origin: of the page; HTTPS there and HTTP here means that a proxy adds it.
        """
        secure = "; Secure" if self._secure or origin.startswith("https:") else ""
        ends = "" if cookie else "; Max-Age=0"
        return f"{self.cookie_name}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}"

    def check_blocked(self, client: str) -> None:
        """
        Raises:
            Refused: the client has failed too often.
        """
        wait = self.failures.blocked(client)
        if wait:
            raise Refused(429, f"Too many failed attempts. Try again in {wait:.0f} seconds.", wait)

    def _check_origin(self, method: str, host: str, headers: Mapping[str, str]) -> None:
        """A request that another site has caused is refused. Browsers send ``Origin`` with each POST."""
        origin = headers.get("origin")
        if origin is not None and not same_origin(origin, host):
            raise Refused(403, "The request comes from another site.")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not (
            method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        ):
            raise Refused(403, "The request comes from another site.")
        if method == "POST" and origin is None and "authorization" not in headers:
            raise Refused(403, "The request has no Origin.")

    def _program(self, scope: Scope, value: str) -> Caller:
        client = client_of(scope)
        self.check_blocked(client)
        user = self.secrets.check_header(value)
        if user is None:
            self.failures.add(client)
            raise Refused(401, "The token, or the name and password, are wrong.")
        return Caller(user, whole=True)

    def _cookie(self, headers: Mapping[str, str]) -> str:
        """The value of our cookie. Those of applications on other ports may have any form."""
        for pair in headers.get("cookie", "").split(";"):
            name, _, value = pair.partition("=")
            if name.strip() == self.cookie_name:
                return value.strip()
        return ""


def client_of(scope: Scope) -> str:
    """The address of the peer; empty for a unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
