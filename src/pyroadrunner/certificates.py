"""Check TLS files before they are used and report what is wrong with each. ``rr serve``, ``rr config check`` and
``rr doctor`` share this check, for HTTPS, HTTP/3, ACME and Redis.

Reads files; independent of listeners, connections and the config.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = b"PRIVATE KEY-----"
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")
_DER = b"\x30\x82"  # the beginning of a certificate or key in DER: a sequence with a length of two bytes
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with a file.

    Attributes:
        key: the file's config key: ``cert``, ``key`` or ``root_ca``.
        message: a description that names the file.
        fatal: TLS does not work with the file; otherwise a warning.
    """

    key: str
    message: str
    fatal: bool = True


def look_at(*, cert: str = "", key: str = "", root_ca: str = "", now: datetime | None = None) -> list[Problem]:
    """The problems of these files; empty if TLS works with them and the certificate is valid now.

    Args:
        cert: path of a certificate and its chain; empty = none, also for the other files.
        key: path of its private key.
        root_ca: path of certificates that peers are verified against.
        now: the time to check the certificate against; ``None`` = the clock.
    """
    found: list[Problem] = []
    data = {what: _read(what, path, found) for what, path in (("key", key), ("cert", cert), ("root_ca", root_ca))}
    if data["key"] is not None:
        found += _key_problems(key, data["key"])
    for what, path in (("cert", cert), ("root_ca", root_ca)):
        if (content := data[what]) is not None:
            found += _certificate_problems(what, path, content)
    if data["cert"] is not None and data["key"] is not None and not _any(found, "cert", "key"):
        found += _pair_problems(cert, key, data["cert"])
    if data["cert"] is not None and not _any(found, "cert"):
        found += _time_problems(cert, data["cert"], now or datetime.now(UTC))
    return found


def _any(found: list[Problem], *keys: str) -> bool:
    return any(problem.key in keys for problem in found)


def _read(what: str, path: str, found: list[Problem]) -> bytes | None:
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        where = "" if os.path.isabs(path) else f" (looked in {os.getcwd()})"
        found.append(Problem(what, f"{what} file '{path}' does not exists{where}"))  # RoadRunner's wording
    except IsADirectoryError:
        found.append(Problem(what, f"{what} file '{path}' is a folder"))
    except PermissionError:
        found.append(Problem(what, f"{what} file '{path}' can't be read by user {os.geteuid()}: permission denied"))
    except (OSError, ValueError) as wrong:
        found.append(Problem(what, f"{what} file '{path}' can't be read: {getattr(wrong, 'strerror', None) or wrong}"))
    return None


def _key_problems(path: str, data: bytes) -> Iterator[Problem]:
    if any(mark in data for mark in _ENCRYPTED):
        todo = f"write it without a password (openssl pkey -in {path} -out PLAIN)"
        yield Problem("key", f"key file '{path}': the key is encrypted; {todo}")
    elif _KEY not in data:
        other = "a certificate" if _CERTIFICATE.search(data) else ""
        yield Problem("key", _no_pem("key", path, data, "private key", other, "openssl pkey"))


def _certificate_problems(what: str, path: str, data: bytes) -> Iterator[Problem]:
    import ssl  # imported late: a server without TLS starts faster

    if not _CERTIFICATE.search(data):
        other = "a private key" if _KEY in data else ""
        yield Problem(what, _no_pem(what, path, data, "certificate", other, "openssl x509"))
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cadata="\n".join(found.decode("ascii") for found in _CERTIFICATE.findall(data))
        )
    except (ssl.SSLError, ValueError) as wrong:  # a UnicodeDecodeError is a ValueError
        yield Problem(what, f"{what} file '{path}' has a broken certificate: {_reason(wrong)}")


def _no_pem(what: str, path: str, data: bytes, wanted: str, other: str, tool: str) -> str:
    text = f"{what} file '{path}' has no {wanted} in PEM form"
    if other:
        return f"{text}, but {other}: are cert and key swapped?"
    if data.startswith(_DER):
        return f"{text}; if it is DER: {tool} -inform der -in {path} -out NEW"
    return f"{text}; it is empty" if not data.strip() else text


def _pair_problems(cert: str, key: str, data: bytes) -> Iterator[Problem]:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password=_refuse_password)
    except (OSError, ValueError) as wrong:  # an SSLError is an OSError
        if getattr(wrong, "reason", None) in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            yield Problem("key", f"the key '{key}' does not match the certificate '{cert}'")
        elif "EE_KEY_TOO_SMALL" in str(wrong) or "CA_MD_TOO_WEAK" in str(wrong):
            yield Problem("cert", f"cert file '{cert}' is refused by this machine's OpenSSL: {_reason(wrong)}")
        else:
            yield Problem("key", f"key file '{key}' has a broken private key: {_reason(wrong)}")


def _refuse_password() -> str:
    raise ValueError("the key is encrypted")


def _reason(wrong: Exception) -> str:
    return str(getattr(wrong, "reason", None) or wrong)


def _time_problems(path: str, data: bytes, now: datetime) -> Iterator[Problem]:
    import ssl

    first = _CERTIFICATE.search(data)
    times = validity(ssl.PEM_cert_to_DER_cert(first[0].decode("ascii"))) if first else None
    if times is None:
        return
    begin, end = times
    if now > end:
        yield Problem("cert", f"the certificate in '{path}' expired on {end:%Y-%m-%d %H:%M} UTC", fatal=False)
    elif now < begin:
        yield Problem(
            "cert", f"the certificate in '{path}' is not valid before {begin:%Y-%m-%d %H:%M} UTC", fatal=False
        )


def validity(der: bytes) -> tuple[datetime, datetime] | None:
    """The start and end of a certificate's validity; ``None`` if it can't be parsed. (RFC 5280, section 4.1)

    Parsed by hand, since the standard library reports them only for a peer's certificate.
    """
    try:
        return _validity(der)
    except (IndexError, ValueError):
        return None


def _validity(der: bytes) -> tuple[datetime, datetime]:
    at = _enter(der, _enter(der, 0))  # Certificate, TBSCertificate
    if der[at] == _VERSION:
        at = _skip(der, at)
    for _ in ("serialNumber", "signature", "issuer"):
        at = _skip(der, at)
    first = _enter(der, at)
    return _time(der, first), _time(der, _skip(der, first))


def _enter(der: bytes, at: int) -> int:
    if der[at] != _SEQUENCE:
        raise ValueError("no sequence")
    return _content(der, at)[0]


def _skip(der: bytes, at: int) -> int:
    begin, size = _content(der, at)
    return begin + size


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of an element begins, and its size."""
    size = der[at + 1]
    if size < 0x80:
        return at + 2, size
    count = size & 0x7F
    begin = at + 2 + count
    if begin > len(der):
        raise ValueError("cut short")
    return begin, int.from_bytes(der[at + 2 : begin], "big")


def _time(der: bytes, at: int) -> datetime:
    begin, size = _content(der, at)
    text = der[begin : begin + size].decode("ascii")
    if der[at] == _UTC_TIME:  # RFC 5280: years from 50 on are of the last century
        text = ("19" if text >= "50" else "20") + text
    elif der[at] != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
