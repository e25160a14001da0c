from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.plugins.grpc.web.config import GrpcWebConfig
from pyroadrunner.plugins.grpc.web.cors import Cors


def cors(*origins: str, **more: Any) -> Cors:
    return Cors(GrpcWebConfig(enabled=True, allowed_origin=list(origins), **more))


def permission(cors: Cors, origin: bytes) -> bytes | None:
    return dict(cors.actual(origin, [])).get(b"access-control-allow-origin")


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ([], b"https://a.b", None),
        (["*"], b"https://a.b", b"*"),
        (["https://A.b"], b"https://a.B", b"https://a.B"),
        (["https://a.b"], b"https://a.b.evil", None),
        (["https://*.a.b"], b"https://x.y.a.b", b"https://x.y.a.b"),
        (["https://*.a.b"], b"https://a.b", None),
        (["*"], b"", None),
        (["*"], b"h" * 513, None),
    ],
)
def test_origins(allowed: list[str], origin: bytes, expected: bytes | None) -> None:
    assert permission(cors(*allowed), origin) == expected


def test_a_preflight_allows_any_metadata() -> None:
    assert cors("https://a.b", max_age=60).preflight(b"https://a.b", b"x-grpc-web,x-user") == [
        (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        (b"access-control-allow-origin", b"https://a.b"),
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", b"x-grpc-web,x-user"),
        (b"access-control-max-age", b"60"),
    ]


def test_a_refused_page_gets_no_permission() -> None:
    refused = cors("https://a.b")
    assert [name for name, _ in refused.preflight(b"https://c.d", b"x-a")] == [b"vary"]
    assert refused.actual(b"https://c.d", [b"x-a"]) == [(b"vary", b"Origin")]


def test_a_page_may_read_the_headers_of_its_response() -> None:
    assert cors("*", allow_credentials=True).actual(b"https://a.b", [b"x-a", b"content-type", b"grpc-status"]) == [
        (b"vary", b"Origin"),
        (b"access-control-allow-origin", b"https://a.b"),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"x-a, grpc-status, grpc-message"),
    ]


def test_the_config_is_checked() -> None:
    config = GrpcWebConfig(enabled=True, allowed_origin=["*", "a*b*"], allow_credentials=True)
    assert [key for key, _ in config.faults()] == ["allowed_origin.1"]
    assert [key for key, _ in config.warnings()] == ["allow_credentials"]
    assert not [*GrpcWebConfig().faults(), *GrpcWebConfig().warnings()]
