"""The ``grpc`` section: defaults, and values that RoadRunner takes silently."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.check import check
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.plugins.grpc.config import GrpcConfig

MINIMAL = {"listen": "127.0.0.1:9001"}


def read(**section: Any) -> GrpcConfig:
    checked = check(RawConfig.from_dict({"server": {"command": "x"}, "grpc": {**MINIMAL, **section}}, "test"), MODELS)
    assert checked.faults == []
    found = checked.sections["grpc"]
    assert isinstance(found, GrpcConfig)
    return found


def fault(**section: Any) -> str:
    checked = check(RawConfig.from_dict({"grpc": {**MINIMAL, **section}}, "test"), MODELS)
    [found] = checked.faults
    return f"{found.path}: {found.message}"


MODELS: Any = {"grpc": GrpcConfig}


def test_defaults_are_those_of_roadrunner() -> None:
    config = read()
    assert (config.max_receive_bytes, config.max_send_bytes) == (50 << 20, 50 << 20)
    assert (config.max_concurrent_streams, config.ping_time, config.timeout) == (10, 7200, 20)
    assert (config.max_connection_age, config.max_connection_age_grace) == (0, 0)
    assert config.proto == []
    assert not config.tls.enabled


def test_zero_means_the_default() -> None:
    config = read(max_send_msg_size=0, max_recv_msg_size=0, max_concurrent_streams=0, ping_time=0, timeout=0)
    assert config == read()
    assert read(ping_time="10ms").ping_time == 1


def test_a_limit_may_be_a_fraction_of_a_megabyte() -> None:
    config = read(max_recv_msg_size=0.25, max_send_msg_size=2)
    assert (config.max_receive_bytes, config.max_send_bytes) == (1 << 18, 2 << 20)


def test_proto_may_be_one_string_and_all_pool_keys_are_read() -> None:
    pool = {"max_queue_size": 5, "reset_timeout": "1s", "stream_timeout": "2s", "dynamic_allocator": {"max_workers": 2}}
    config = read(proto="a.proto", pool=pool)
    assert config.proto == ["a.proto"]
    assert (config.pool.max_queue_size, config.pool.reset_timeout, config.pool.stream_timeout) == (5, 1, 2)
    assert config.pool.dynamic_allocator is not None


def test_the_mode_of_the_workers_can_not_be_changed() -> None:
    assert read(env={"RR_MODE": "http", "rr_mode": "jobs", "A": "1"}).worker_env() == {"A": "1", "RR_MODE": "grpc"}


@pytest.mark.parametrize("kind", ["", "no_client_cert", "no_client_certs"])
def test_no_certificate_is_requested_by_default(kind: str) -> None:
    assert read(tls={"client_auth_type": kind}).tls.auth_type == "no_client_cert"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"listen": "9001"}, "grpc.listen: mailformed grpc address `9001`"),
        ({"listen": "udp://a:1"}, "grpc.listen: "),
        ({"listen": "127.0.0.1:99999"}, "grpc.listen: "),
        ({"max_recv_msg_size": -1}, "grpc.max_recv_msg_size: "),
        ({"max_send_msg_size": -1}, "grpc.max_send_msg_size: "),
        ({"max_send_msg_size": 4096}, "grpc.max_send_msg_size: "),
        ({"max_concurrent_streams": -1}, "grpc.max_concurrent_streams: "),
        ({"ping_time": "-1s"}, "grpc.ping_time: "),
        ({"tls": {"client_auth_type": "require"}}, "grpc.tls.client_auth_type: is `require`, which does not exist"),
        (
            {"tls": {"client_auth_type": "require_any_client_cert"}},
            "grpc.tls.client_auth_type: is `require_any_client_cert` and root_ca is not set",
        ),
        ({"pool": {"num_workers": 501}}, "grpc.pool.num_workers: "),
    ],
)
def test_a_fault_names_its_key(section: dict[str, Any], message: str) -> None:
    assert fault(**section).startswith(message)


def test_an_address_is_required() -> None:
    checked = check(RawConfig.from_dict({"grpc": {}}, "test"), MODELS)
    assert "listen" in f"{checked.faults[0].path} {checked.faults[0].message}"


def test_what_is_absent_is_found_by_a_check() -> None:
    config = read(tls={"cert": "/nowhere.crt"}, interceptors=["auth"])
    found = dict(config.absent())
    assert found["tls.cert"] == "is set and grpc.tls.key is not: TLS needs both"
    assert found["interceptors.0"].startswith("interceptor auth is not registered")
    found = dict(read(tls={"cert": "/nowhere.crt", "key": "/nowhere.key"}).absent())
    assert set(found) == {"tls.cert", "tls.key"}
