"""Settings that RoadRunner leaves to go-redis have the defaults of go-redis."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig, TlsConfig
from pyroadrunner.remote.redis.settings import RedisSettings
from support.tls import Authority


def test_defaults_are_go_redis() -> None:
    settings = RedisSettings.of(RedisConfig())
    assert settings.addresses == [("127.0.0.1", 6379)]
    assert (settings.dial_timeout, settings.timeout, settings.pool_timeout, settings.idle) == (5.0, 3.0, 4.0, 1800.0)
    assert (settings.retries, settings.min_backoff, settings.max_backoff) == (3, 0.008, 0.512)
    assert settings.tls_context() is None


def test_explicit_settings_are_kept() -> None:
    config = RedisConfig(
        max_retries=-1,
        min_retry_backoff=2.0,
        max_retry_backoff=1.0,
        read_timeout=1.0,
        write_timeout=2.0,
        pool_size=7,
        pool_timeout=0.5,
    )
    settings = RedisSettings.of(config)
    assert settings.retries == 0
    assert (settings.min_backoff, settings.max_backoff) == (1.0, 1.0)
    assert (settings.timeout, settings.pool_size, settings.pool_timeout) == (2.0, 7, 0.5)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("redis", ("redis", 6379)),
        ("redis:1", ("redis", 1)),
        (":1", ("127.0.0.1", 1)),
        ("[::1]:7", ("::1", 7)),
        ("redis://host:5", ("host", 5)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert RedisSettings.of(RedisConfig(addrs=[text])).addresses == [address]


@pytest.mark.parametrize(("addrs", "master", "cluster"), [(1, "", False), (2, "", True), (2, "m", False)])
def test_several_addresses_are_a_cluster_or_sentinels(addrs: int, master: str, cluster: bool) -> None:
    config = RedisConfig(addrs=["a:1", "b:2"][:addrs], master_name=master)
    assert RedisSettings.of(config).clustered is cluster


def test_a_missing_or_invalid_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"tls: root_ca file '/nope/ca\.pem' does not exists"):
        RedisSettings.of(RedisConfig(tls=TlsConfig(root_ca="/nope/ca.pem")))
    garbage = tmp_path / "ca.pem"
    garbage.write_text("garbage")
    with pytest.raises(StoreError, match=r"tls: root_ca file '.*ca\.pem' has no certificate in PEM form"):
        RedisSettings.of(RedisConfig(tls=TlsConfig(root_ca=str(garbage))))


def test_a_key_that_is_encrypted_or_of_another_certificate_is_named(tmp_path: Path) -> None:
    """Without asking for a password on the terminal."""
    authority = Authority(tmp_path)
    one, other = authority.client("one"), authority.client("other")
    with pytest.raises(StoreError, match=r"tls: the key '.*other\.key' does not match the certificate '.*one\.crt'"):
        RedisSettings.of(RedisConfig(tls=TlsConfig(cert=str(one.cert), key=str(other.key))))
    key = load_pem_private_key(one.key.read_bytes(), None)
    one.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(StoreError, match=r"tls: .*the key is encrypted"):
        RedisSettings.of(RedisConfig(tls=TlsConfig(cert=str(one.cert), key=str(one.key))))
