"""The authority of `rr serve --https`: whom its certificates convince, and who can read its key."""

from __future__ import annotations

import ipaddress
import pwd
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pyroadrunner.cli.trust.authority import CA_LIFETIME, Authority, UnusableAuthority
from pyroadrunner.cli.trust.places import authority_folder

NOW = datetime.now(UTC)
DAEMON = pwd.getpwnam("daemon").pw_dir


def convinces(cert: Path, key: Path, root: Path, host: str) -> bool:
    """A TLS handshake in memory: whether a client that trusts ``root`` accepts the server as ``host``."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(cert, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=str(root)).wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
            if end is client:
                return True
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize(
    ("host", "convinced"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("box.example.org", True), ("example.org", False)],
)
def test_a_client_that_trusts_it_accepts_the_names_of_this_machine(tmp_path: Path, host: str, convinced: bool) -> None:
    authority = Authority(tmp_path, host="box.example.org")
    cert, key = authority.server()
    assert convinces(cert, key, authority.certificate, host) == convinced


def test_even_its_own_key_can_not_sign_another_site(tmp_path: Path) -> None:
    authority = Authority(tmp_path, host="box")
    authority.server()
    root = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    signer = load_pem_private_key((tmp_path / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    _, key = authority.server()
    own = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(own, ec.EllipticCurvePrivateKey)

    def forged(*names: x509.GeneralName) -> Path:
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(root.subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(hours=1))
            .not_valid_after(NOW + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        (tmp_path / "forged.crt").write_bytes(built.sign(signer, SHA256()).public_bytes(Encoding.PEM))
        return tmp_path / "forged.crt"

    assert convinces(forged(x509.DNSName("localhost")), key, authority.certificate, "localhost")
    assert not convinces(forged(x509.DNSName("bank.com")), key, authority.certificate, "bank.com")
    address = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    assert not convinces(forged(address), key, authority.certificate, "192.0.2.1")


def test_only_the_owner_can_read_the_keys(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "https"
    _, key = Authority(folder).server()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (key, folder / "ca.key")} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Authority(tmp_path).server()
    (tmp_path / "ca.key").chmod(0o640)
    with pytest.raises(UnusableAuthority, match="can be read by other users"):
        Authority(tmp_path).server()


def test_the_authority_is_made_once_and_the_certificate_is_kept(tmp_path: Path) -> None:
    cert, _ = Authority(tmp_path, host="box").server()
    before = (cert.read_bytes(), (tmp_path / "ca.crt").read_bytes())
    Authority(tmp_path, host="box").server()
    assert (cert.read_bytes(), (tmp_path / "ca.crt").read_bytes()) == before


@pytest.mark.parametrize("days", [61, 89, 200])
def test_the_certificate_is_renewed_before_it_ends(tmp_path: Path, days: int) -> None:
    cert, _ = Authority(tmp_path).server()
    before, root = cert.read_bytes(), (tmp_path / "ca.crt").read_bytes()
    Authority(tmp_path, now=NOW + timedelta(days=days)).server()
    assert cert.read_bytes() != before
    assert (tmp_path / "ca.crt").read_bytes() == root


def test_an_authority_near_its_end_says_so(tmp_path: Path) -> None:
    Authority(tmp_path).server()
    with pytest.raises(UnusableAuthority, match="ends on"):
        Authority(tmp_path, now=NOW + CA_LIFETIME - timedelta(days=30)).server()


def test_a_new_name_of_the_machine_is_left_out_and_does_not_break_the_rest(tmp_path: Path) -> None:
    Authority(tmp_path, host="old.example.org").server()
    authority = Authority(tmp_path, host="new.example.org")
    cert, key = authority.server()
    assert convinces(cert, key, authority.certificate, "localhost")
    assert not convinces(cert, key, authority.certificate, "new.example.org")


@pytest.mark.parametrize("host", ["", "my_box", "-x", "a" * 64, "exämple"])
def test_a_name_that_is_no_host_name_is_left_out(tmp_path: Path, host: str) -> None:
    authority = Authority(tmp_path, host=host)
    cert, key = authority.server()
    assert convinces(cert, key, authority.certificate, "localhost")


@pytest.mark.parametrize("damage", ["ca.crt", "ca.key"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    Authority(tmp_path).server()
    (tmp_path / damage).write_bytes(b"nothing")
    with pytest.raises(UnusableAuthority, match="remove the folder"):
        Authority(tmp_path).server()


def test_a_damaged_certificate_of_the_server_is_made_anew(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.server()
    cert.write_bytes(b"nothing")
    authority.server()
    assert convinces(cert, key, authority.certificate, "localhost")


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UnusableAuthority, match="file/https"):
        Authority(tmp_path / "file" / "https").server()


@pytest.mark.parametrize(
    ("env", "root", "folder"),
    [
        ({"HOME": "/home/ann"}, False, "/home/ann/.config/pyroadrunner/https"),
        ({"HOME": "/home/ann", "XDG_CONFIG_HOME": "/cfg"}, False, "/cfg/pyroadrunner/https"),
        ({"HOME": "/home/ann", "XDG_CONFIG_HOME": "relative"}, False, "/home/ann/.config/pyroadrunner/https"),
        ({"HOME": "/root", "SUDO_USER": "nobody-of-this-name"}, True, "/root/.config/pyroadrunner/https"),
        ({"HOME": "/root", "SUDO_USER": "daemon"}, True, f"{DAEMON}/.config/pyroadrunner/https"),
        ({"HOME": "/home/ann", "SUDO_USER": "daemon"}, False, "/home/ann/.config/pyroadrunner/https"),
    ],
)
def test_the_folder_is_that_of_the_user_also_under_sudo(env: dict[str, str], root: bool, folder: str) -> None:
    assert str(authority_folder(env, root=root)) == folder


def test_a_key_with_a_password_or_the_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    Authority(tmp_path).server()
    key = load_pem_private_key((tmp_path / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another")])
    other = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + CA_LIFETIME)
        .sign(key, SHA256())
    )
    ours = (tmp_path / "ca.crt").read_bytes()
    (tmp_path / "ca.crt").write_bytes(other.public_bytes(Encoding.PEM))
    with pytest.raises(UnusableAuthority, match="has no usable authority"):
        Authority(tmp_path).server()
    (tmp_path / "ca.crt").write_bytes(ours)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    (tmp_path / "ca.key").write_bytes(locked)
    with pytest.raises(UnusableAuthority, match="has no usable authority"):
        Authority(tmp_path).server()


def test_a_clock_that_was_set_back_is_named(tmp_path: Path) -> None:
    Authority(tmp_path, now=NOW).server()
    with pytest.raises(UnusableAuthority, match="set the clock"):
        Authority(tmp_path, now=NOW - timedelta(days=2)).server()
