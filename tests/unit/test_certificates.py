"""The check of TLS files."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.certificates import look_at, validity
from support.tls import Authority, Identity


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def good(authority: Authority) -> Identity:
    return authority.server()


def said(now: datetime | None = None, **paths: Path | str) -> list[tuple[str, str, bool]]:
    problems = look_at(now=now, **{key: str(path) for key, path in paths.items()})
    return [(problem.key, problem.message, problem.fatal) for problem in problems]


def test_valid_files_have_no_problems(authority: Authority, good: Identity) -> None:
    assert said(cert=good.cert, key=good.key, root_ca=authority.root) == []
    assert said() == []


def test_certificate_and_key_may_share_a_file(good: Identity, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(good.key.read_bytes() + good.cert.read_bytes())
    assert said(cert=both, key=both) == []


def test_all_problems_are_reported_at_once() -> None:
    assert said(cert="/no/c.pem", key="/no/k.pem", root_ca="/no/r.pem") == [
        ("key", "key file '/no/k.pem' does not exists", True),
        ("cert", "cert file '/no/c.pem' does not exists", True),
        ("root_ca", "root_ca file '/no/r.pem' does not exists", True),
    ]


def test_the_problem_of_a_relative_path_names_the_searched_folder() -> None:
    assert said(root_ca="no.pem") == [
        ("root_ca", f"root_ca file 'no.pem' does not exists (looked in {os.getcwd()})", True)
    ]


def test_a_folder_is_reported(good: Identity, tmp_path: Path) -> None:
    assert said(cert=good.cert, key=tmp_path) == [("key", f"key file '{tmp_path}' is a folder", True)]


def test_the_problem_of_an_unreadable_file_names_the_user(good: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, mode: str) -> object:  # root may read any file, so the mode is not enough
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    [problem] = said(key=good.key)
    assert problem[1] == f"key file '{good.key}' can't be read by user {os.geteuid()}: permission denied"


def test_swapped_files_are_reported(good: Identity) -> None:
    assert [(key, text.split(", but ")[1]) for key, text, _ in said(cert=good.key, key=good.cert)] == [
        ("key", "a certificate: are cert and key swapped?"),
        ("cert", "a private key: are cert and key swapped?"),
    ]


def test_der_is_reported_with_the_command_that_converts_it(good: Identity, tmp_path: Path) -> None:
    leaf = x509.load_pem_x509_certificate(good.cert.read_bytes())
    key = load_pem_private_key(good.key.read_bytes(), None)
    cert_der, key_der = tmp_path / "c.der", tmp_path / "k.der"
    cert_der.write_bytes(leaf.public_bytes(Encoding.DER))
    key_der.write_bytes(b"\x30\x82" + key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    [(_, about_key, _), (_, about_cert, _)] = said(cert=cert_der, key=key_der)
    hint = "in PEM form; if it is DER: openssl"
    assert about_cert.endswith(f"has no certificate {hint} x509 -inform der -in {cert_der} -out NEW")
    assert about_key.endswith(f"has no private key {hint} pkey -inform der -in {key_der} -out NEW")


@pytest.mark.parametrize("what", ["cert", "key", "root_ca"])
def test_other_text_is_not_pem(good: Identity, tmp_path: Path, what: str) -> None:
    other = tmp_path / "other"
    other.write_text("hello")
    [(key, text, fatal)] = said(**{"cert": good.cert, "key": good.key, what: other})  # type: ignore[arg-type]
    assert (key, fatal) == (what, True)
    assert text.startswith(f"{what} file '{other}' has no ")
    other.write_text("\n")
    assert said(**{what: other})[0][1].endswith("; it is empty")  # type: ignore[arg-type]


def test_a_broken_certificate_and_a_broken_key_are_distinguished(good: Identity, tmp_path: Path) -> None:
    broken_cert, broken_key = tmp_path / "c", tmp_path / "k"
    lines = good.cert.read_text().splitlines()
    broken_cert.write_text("\n".join([lines[0], *lines[3:]]))
    lines = good.key.read_text().splitlines()
    broken_key.write_text("\n".join([lines[0], lines[2], lines[-1]]))
    [(key, text, _)] = said(cert=broken_cert, key=good.key)
    assert (key, text.split(":")[0]) == ("cert", f"cert file '{broken_cert}' has a broken certificate")
    [(key, text, _)] = said(cert=good.cert, key=broken_key)
    assert (key, text.split(":")[0]) == ("key", f"key file '{broken_key}' has a broken private key")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_reported_with_the_command_that_decrypts_it(good: Identity, form: PrivateFormat) -> None:
    key = load_pem_private_key(good.key.read_bytes(), None)
    good.key.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))
    [(_, text, _)] = said(cert=good.cert, key=good.key)
    assert text.endswith(f"the key is encrypted; write it without a password (openssl pkey -in {good.key} -out PLAIN)")


def test_a_key_of_another_certificate_is_reported(authority: Authority, good: Identity) -> None:
    other = authority.server("other")
    assert said(cert=good.cert, key=other.key) == [
        ("key", f"the key '{other.key}' does not match the certificate '{good.cert}'", True)
    ]


def test_a_certificate_that_is_not_valid_now_is_a_warning(good: Identity) -> None:
    leaf = x509.load_pem_x509_certificate(good.cert.read_bytes())
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    text = f"the certificate in '{good.cert}' expired on {end:%Y-%m-%d %H:%M} UTC"
    assert said(end + timedelta(seconds=1), cert=good.cert, key=good.key) == [("cert", text, False)]
    [(_, text, _)] = said(begin - timedelta(seconds=1), cert=good.cert, key=good.key)
    assert text == f"the certificate in '{good.cert}' is not valid before {begin:%Y-%m-%d %H:%M} UTC"
    assert said(end, cert=good.cert, key=good.key) == said(begin, cert=good.cert, key=good.key) == []


def test_the_validity_is_the_same_as_in_cryptography(good: Identity) -> None:
    leaf = x509.load_pem_x509_certificate(good.cert.read_bytes())
    assert validity(leaf.public_bytes(Encoding.DER)) == (leaf.not_valid_before_utc, leaf.not_valid_after_utc)


@given(st.binary(max_size=64))
def test_any_bytes_are_parsed_or_give_none(data: bytes) -> None:
    assert validity(data) is None or validity(data) is not None


def test_a_truncated_certificate_gives_its_validity_or_none(authority: Authority) -> None:
    leaf = x509.load_pem_x509_certificate(authority.server().cert.read_bytes())
    whole = leaf.public_bytes(Encoding.DER)
    assert {validity(whole[:size]) for size in range(len(whole))} <= {None, validity(whole)}


def test_times_from_2050_on_are_parsed() -> None:
    def element(tag: int, content: bytes) -> bytes:
        return bytes([tag, len(content)]) + content

    times = element(0x30, element(0x17, b"500101000000Z") + element(0x18, b"20500101000000Z"))
    head = element(0x02, b"\1") + element(0x30, b"") + element(0x30, b"")
    certificate = element(0x30, element(0x30, head + times))
    assert validity(certificate) == (datetime(1950, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC))
