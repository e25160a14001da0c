"""The settings of the connection to Temporal: address, TLS, key, proxy."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pyroadrunner.plugins.temporal.config import TemporalConfig, TlsConfig
from pyroadrunner.plugins.temporal.settings import ClientSettings, TlsSettings


def client_settings(config: TemporalConfig, version: str, api_key: str) -> ClientSettings:
    """Settings of a new connection; the files of TLS are read now.

    Raises:
        OSError: a file can't be read.
    """
    return ClientSettings(
        address=config.address,
        identity=f"roadrunner:{os.getpid()}@{socket.gethostname()}",
        version=version,
        api_key=api_key or None,
        tls=_tls(config.tls) if config.tls is not None else None,
    )


def _tls(config: TlsConfig) -> TlsSettings:
    def content(name: str) -> bytes | None:
        return Path(name).read_bytes() if name else None

    return TlsSettings(
        root_ca=content(config.root_ca),
        server_name=config.server_name or None,
        cert=None if config.use_h2c else content(config.cert),
        key=None if config.use_h2c else content(config.key),
    )
