"""The local certificate authority for HTTPS in development, and the certificate of the server.

The authority is made once for each user. Its key never leaves the user's folder, and its certificate says which names
it may sign: this machine's own. So a machine that trusts it does not trust it for any other site, even if the key is
stolen.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyroadrunner.errors import RoadRunnerError

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as missing:
    raise RoadRunnerError(
        "HTTPS in development needs the package `cryptography`: pip install 'pyroadrunner[https]'"
    ) from missing

CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=90)
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(hours=1)
_LOCAL_DOMAINS = ("localhost", "local", "test", "internal")  # no public site is below these
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.ASCII)


class UnusableAuthority(RoadRunnerError):
    """The files of the authority can't be read or must not be used."""


class Authority:
    """The authority in a folder; its files are made when they are first needed.

    Args:
        folder: for example ``~/.config/pyroadrunner/https``.
        host: name of this machine; part of the certificates if it is a valid host name.
        now: the current time.
    """

    def __init__(self, folder: Path, *, host: str = "", now: datetime | None = None) -> None:
        self._folder = folder
        self._host = host.lower() if _NAME.fullmatch(host.lower()) else ""
        self._now = now or datetime.now(UTC)
        self.certificate = folder / "ca.crt"
        self._key = folder / "ca.key"

    def __repr__(self) -> str:
        return f"Authority({self._folder})"

    def exists(self) -> bool:
        return self.certificate.is_file() and self._key.is_file()

    def server(self) -> tuple[Path, Path]:
        """Certificate and key for this machine's names; made, or renewed 30 days before the end.

        Raises:
            UnusableAuthority: the folder can't be written, or the key of the authority is not private.
        """
        cert, key = self._folder / "server.crt", self._folder / "server.key"
        try:
            with self._locked():
                authority, authority_key = self._load()
                if not self._fits(cert, key, authority):
                    self._issue(cert, key, authority, authority_key)
        except OSError as wrong:
            raise UnusableAuthority(f"{self._folder}: {(wrong.strerror or str(wrong)).lower()}") from wrong
        return cert, key

    # -- the authority -----------------------------------------------------------------------------------------------

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        if not self.exists():
            self._make()
        if stat.S_IMODE(self._key.stat().st_mode) & 0o077:
            raise UnusableAuthority(
                f"{self._key} can be read by other users, who could pretend to be this machine. Remove the folder"
                f" {self._folder} (rr trust uninstall first), and start again"
            )
        try:
            authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = load_pem_private_key(self._key.read_bytes(), None)
            authority.extensions.get_extension_for_class(x509.NameConstraints)
        except (ValueError, TypeError, x509.ExtensionNotFound, UnsupportedAlgorithm) as wrong:
            # No PEM; a key with a password; a certificate that is not from here; an unknown kind of key.
            raise UnusableAuthority(
                f"{self._folder} has no usable authority: rr trust uninstall, remove the folder, and start again"
            ) from wrong
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != authority.public_key():
            raise UnusableAuthority(f"{self._key} is not the key of {self.certificate.name}: remove {self._folder}")
        if authority.not_valid_before_utc > self._now:
            raise UnusableAuthority(
                f"{self.certificate} is valid from {authority.not_valid_before_utc:%Y-%m-%d} on, and the clock of this"
                f" machine says {self._now:%Y-%m-%d}: set the clock"
            )
        if authority.not_valid_after_utc - self._now < LIFETIME:
            raise UnusableAuthority(
                f"{self.certificate} ends on {authority.not_valid_after_utc:%Y-%m-%d}: rr trust uninstall, remove the"
                f" folder {self._folder}, and start again"
            )
        return authority, key

    def _make(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        title = f"pyroadrunner development CA {self._host or 'of this machine'}"
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:64])])
        domains = [*_LOCAL_DOMAINS, *([self._host] if self._host else [])]
        permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in dict.fromkeys(domains)]
        permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in _LOOPBACK]
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        built = (
            self._builder(name, name, key.public_key(), CA_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        _write(self._key, _pem(key), 0o600)
        _write(self.certificate, built.sign(key, SHA256()).public_bytes(Encoding.PEM), 0o644)

    # -- the server --------------------------------------------------------------------------------------------------

    def _fits(self, cert: Path, key: Path, authority: x509.Certificate) -> bool:
        """Whether the certificate is of this authority, has our names, and lasts."""
        try:
            found = x509.load_pem_x509_certificate(cert.read_bytes())
            loaded = load_pem_private_key(key.read_bytes(), None)
            found.verify_directly_issued_by(authority)
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
            return False
        except Exception as wrong:  # InvalidSignature
            if type(wrong).__name__ != "InvalidSignature":
                raise
            return False
        if loaded.public_key() != found.public_key():
            return False
        lasts = found.not_valid_after_utc - self._now > _RENEW_BEFORE and found.not_valid_before_utc <= self._now
        return lasts and list(names) == self._names(authority)

    def _issue(self, cert: Path, key: Path, authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey) -> None:
        own = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        built = (
            self._builder(name, authority.subject, own.public_key(), LIFETIME)
            .add_extension(x509.SubjectAlternativeName(self._names(authority)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        _write(key, _pem(own), 0o600)
        _write(cert, built.sign(signer, SHA256()).public_bytes(Encoding.PEM), 0o644)

    def _names(self, authority: x509.Certificate) -> list[x509.GeneralName]:
        """The names of this machine that the authority may sign."""
        names: list[x509.GeneralName] = [x509.DNSName("localhost")]
        if self._host and self._host != "localhost" and _permits(authority, self._host):
            names.append(x509.DNSName(self._host))
        return [*names, *(x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1"))]

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _CLOCK_SKEW)
            .not_valid_after(self._now + lifetime)
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time: two servers may start together."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _permits(authority: x509.Certificate, host: str) -> bool:
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    domains: Sequence[str] = [
        one.value for one in constraints.permitted_subtrees or () if isinstance(one, x509.DNSName)
    ]
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a whole file or none."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, mode)) as file:
        file.write(data)
    os.replace(temporary, path)


def host_name() -> str:
    """The name of this machine."""
    return socket.gethostname()
