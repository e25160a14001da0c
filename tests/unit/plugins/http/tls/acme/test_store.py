"""The contents of the cache folder, and when a certificate is used."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.plugins.http.tls.acme.store import Store

DIRECTORY = "https://acme.example:14000/dir"


def saved(folder: Path, *domains: str) -> Store:
    leaf = trustme.CA().issue_cert(*domains)
    store = Store(folder, DIRECTORY, list(domains))
    store.save(leaf.private_key_pem.bytes(), b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    return store


def test_a_certificate_is_stored_readable_only_by_its_owner(tmp_path: Path) -> None:
    store = saved(tmp_path / "cache", "a.org", "b.org")
    assert store.path == tmp_path / "cache" / "acme.example_14000" / "a.org.pem"
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    found = store.certificate()
    assert found is not None
    assert found.domains == {"a.org", "b.org"}
    assert list(store.path.parent.iterdir()) == [store.path]


def test_a_certificate_is_used_until_it_expires_and_renewed_after_two_thirds(tmp_path: Path) -> None:
    store = saved(tmp_path, "a.org")
    found = store.certificate()
    assert found is not None
    assert found.renew_at - found.since == (found.until - found.since) * 2 / 3
    second = timedelta(seconds=1)
    assert store.usable(found.until - second) == found
    assert store.usable(found.until) is None


@pytest.mark.parametrize("domains", [["a.org"], ["a.org", "c.org"], ["a.org", "b.org", "c.org"]])
def test_a_certificate_for_other_names_is_not_used(tmp_path: Path, domains: list[str]) -> None:
    saved(tmp_path, "a.org", "b.org")
    assert Store(tmp_path, DIRECTORY, domains).certificate() is None
    assert Store(tmp_path, DIRECTORY, ["a.org", "b.org"]).certificate() is not None


def test_a_certificate_of_another_server_is_not_used(tmp_path: Path) -> None:
    saved(tmp_path, "a.org")
    assert Store(tmp_path, "https://other.example/dir", ["a.org"]).certificate() is None


@pytest.mark.parametrize("damage", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_file_is_not_used(tmp_path: Path, damage: bytes) -> None:
    store = saved(tmp_path, "a.org")
    store.path.write_bytes(damage)
    assert store.usable() is None


def test_the_account_key_is_kept_and_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    def private(store: Store) -> bytes:
        return store.account_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    store = Store(tmp_path, DIRECTORY, ["a.org"])
    first = private(store)
    path = tmp_path / "acme.example_14000" / "account.key"
    assert private(Store(tmp_path, DIRECTORY, ["b.org"])) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"garbage")
    assert private(store) != first


def test_a_folder_that_can_not_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TlsError, match=r"http\.ssl\.acme\.cache_dir: '.*' can't be created"):
        Store(tmp_path / "file", DIRECTORY, ["a.org"])
