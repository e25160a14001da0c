"""The configured files of ``http.ssl``."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.plugins.http.tls.config import SslConfig
from pyroadrunner.plugins.http.tls.files import files_of


def test_tls_is_off_without_files() -> None:
    assert files_of(SslConfig(address=":443", redirect=True)) is None


@pytest.mark.parametrize(("there", "missing"), [("cert", "key"), ("key", "cert")])
def test_one_file_is_not_enough(there: str, missing: str) -> None:
    with pytest.raises(TlsError, match=f"http.ssl.{there} is set and http.ssl.{missing} is not"):
        files_of(SslConfig(**{there: "x.pem"}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no_client_cert", "none"),
        ("request_client_cert", "optional"),
        ("verify_client_cert_if_given", "optional"),
        ("require_any_client_cert", "required"),
        ("require_and_verify_client_cert", "required"),
        ("nonsense", "none"),
    ],
)
def test_which_clients_must_send_a_certificate(name: str, expected: str) -> None:
    config = SslConfig(cert="c", key="k", root_ca="r", client_auth_type=name)
    files = files_of(config)
    assert files is not None
    assert files.client == expected


def test_without_roots_no_client_can_be_verified() -> None:
    files = files_of(SslConfig(cert="c", key="k", client_auth_type="require_and_verify_client_cert"))
    assert files == TlsFiles("c", "k")
