"""The text that says why the API is away."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.centrifuge.api import reason_in


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:10000: Failed to connect to remote"
            " host: Connection refused",
            "Failed to connect to remote host: Connection refused",
        ),
        (
            "failed to connect to all addresses; last error: UNAVAILABLE: ipv6:%5B::1%5D:10000: Tls handshake failed"
            " (TSI_PROTOCOL_FAILURE): unable to get local issuer certificate: OK",
            "Tls handshake failed (TSI_PROTOCOL_FAILURE): unable to get local issuer certificate",
        ),
        ("DNS resolution failed for nowhere:1", "DNS resolution failed for nowhere:1"),
        ("", "no answer"),
    ],
)
def test_the_librarys_preamble_is_left_out(details: str, reason: str) -> None:
    assert reason_in(details) == reason
