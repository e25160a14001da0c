"""The files of ``grpc.tls``."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.grpc.config import GrpcTlsConfig
from pyroadrunner.plugins.grpc.tls import files_of
from support.log import logged


def test_both_files_switch_tls_on() -> None:
    assert files_of(GrpcTlsConfig()) is None
    assert files_of(GrpcTlsConfig(cert="a")) is None
    files = files_of(GrpcTlsConfig(cert="a", key="b"))
    assert files is not None
    assert (files.cert, files.key, files.client, files.section) == ("a", "b", "none", "grpc.tls")


@pytest.mark.parametrize(
    ("kind", "client", "warned"),
    [
        ("no_client_certs", "none", True),
        ("request_client_cert", "optional", True),
        ("verify_client_cert_if_given", "optional", False),
        ("require_any_client_cert", "required", True),
        ("require_and_verify_client_cert", "required", False),
    ],
)
def test_certificates_of_clients_are_verified_whatever_the_type(kind: str, client: str, warned: bool) -> None:
    with logged("grpc") as lines:
        files = files_of(GrpcTlsConfig(cert="a", key="b", root_ca="c", client_auth_type=kind))
    assert files is not None
    assert (files.root_ca, files.client) == ("c", client)
    assert bool(lines.lines) is warned
