"""The attributes of a client's certificate for workers."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Any

from pyroadrunner.asgi import ATTRIBUTES
from pyroadrunner.plugins.http.tls.client import ClientCertificate
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app
from support.tls import Authority


def attributes(tls: dict[str, Any], **scope: Any) -> dict[str, str]:
    pool = ScriptedPool()
    made = http_scope(**scope)
    made["extensions"] = {"tls": tls}
    Exchange(made).run(ClientCertificate(worker_app(pool)))
    found: dict[str, str] = pool.context["attributes"]
    return found


def test_a_certificate_is_passed_with_all_attributes(tmp_path: Path) -> None:
    pem = Authority(tmp_path).client("alice").cert.read_text()
    pem = pem[: pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
    assert attributes({"client_cert_chain": (pem, "root"), "client_cert_name": "CN=alice"}) == {
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_S_DN": "CN=alice",
        "SSL_CLIENT_FINGERPRINT": hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest(),
        "SSL_CLIENT_CERT": pem,
    }


def test_a_missing_certificate_is_passed_too() -> None:
    assert attributes({"client_cert_chain": (), "client_cert_name": None}) == {"SSL_CLIENT_VERIFY": "NONE"}


def test_other_attributes_are_kept() -> None:
    assert attributes({}, **{ATTRIBUTES: {"a": "1"}}) == {"a": "1", "SSL_CLIENT_VERIFY": "NONE"}
