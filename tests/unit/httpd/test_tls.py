"""The check of TLS files, and their stamp."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.httpd.tls import TlsFiles
from support.tls import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_valid_files_pass(authority: Authority) -> None:
    one = authority.server()
    TlsFiles(str(one.cert), str(one.key), str(authority.root), "required").check()


@pytest.mark.parametrize("what", ["cert", "key", "root_ca"])
def test_a_missing_file_is_named(authority: Authority, what: str) -> None:
    one = authority.server()
    paths = {"cert": str(one.cert), "key": str(one.key), "root_ca": str(authority.root), what: "/no/such.pem"}
    with pytest.raises(TlsError, match=f"http.ssl: {what} file '/no/such.pem' does not exists"):
        TlsFiles(**paths).check()


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    one, two = authority.server("one"), authority.server("two")
    with pytest.raises(TlsError, match=r"the key '.*two.key' does not match the certificate '.*one.crt'"):
        TlsFiles(str(one.cert), str(two.key)).check()


@pytest.mark.parametrize("what", ["cert", "key", "root_ca"])
def test_garbage_is_refused(authority: Authority, what: str, tmp_path: Path) -> None:
    one = authority.server()
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\0garbage\xff" * 100)
    paths = {"cert": str(one.cert), "key": str(one.key), "root_ca": str(authority.root), what: str(garbage)}
    with pytest.raises(TlsError, match=r"http\.ssl: "):
        TlsFiles(**paths).check()


def test_an_encrypted_key_is_refused_with_a_hint(authority: Authority) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    one = authority.server()
    key = load_pem_private_key(one.key.read_bytes(), None)
    one.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(TlsError, match="the key is encrypted"):
        TlsFiles(str(one.cert), str(one.key)).check()


def test_a_stamp_changes_with_any_file(authority: Authority) -> None:
    one = authority.server()
    files = TlsFiles(str(one.cert), str(one.key), str(authority.root))
    before = files.stamp()
    assert files.stamp() == before
    for path in (one.cert, one.key, authority.root):
        path.write_bytes(path.read_bytes() + b"\n")
        assert files.stamp() != before
        before = files.stamp()
    one.cert.unlink()
    assert files.stamp() != before
