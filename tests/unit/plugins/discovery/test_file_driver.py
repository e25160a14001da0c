"""A file of servers."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.discovery.drivers.contract import RegistryError
from pyroadrunner.plugins.discovery.drivers.file.driver import parse
from pyroadrunner.plugins.discovery.server import Endpoint, Server

YAML = b"""
servers:
  - id: web-1
    version: 1.0
    addresses: {http: "10.0.0.5:8080", metrics: "[::1]:2112"}
    tags: [eu]
    metadata: {zone: a}
"""


def test_yaml_and_json() -> None:
    endpoints = [
        Endpoint(kind="http", host="10.0.0.5", port=8080),
        Endpoint(kind="metrics", host="::1", port=2112),
    ]
    one = Server(id="web-1", version="1.0", tags=["eu"], metadata={"zone": "a"}, endpoints=endpoints)
    assert parse(YAML, "a.yaml") == [one]
    assert parse(b'{"servers": [{"id": "a"}]}', "a.json") == [Server(id="a", tags=[], endpoints=[])]
    assert parse(b"", "a.yml") == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"servers: [", "a.yaml:2: did not find"),
        (b"servers:\n  - idd: x", "Object contains unknown field `idd` - at `$.servers[0]`"),
        (b"servers:\n  - {id: x, addresses: {http: ':80'}}", "invalid socket DSN"),
        (b"\xff", "invalid start byte"),
        (b"[" * 200, "nested too deep"),
        (b"- x", "Expected `object`"),
    ],
)
def test_another_form_is_named(data: bytes, said: str) -> None:
    with pytest.raises(RegistryError) as wrong:
        parse(data, "a.yaml")
    assert said in str(wrong.value)
