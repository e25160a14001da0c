"""Commands that other programs could put into the registry."""

from __future__ import annotations

import json

import msgspec
import pytest

from pyroadrunner.plugins.discovery.signing import WINDOW, Command, Inbox, Result, Signer

SECRET = "0123456789abcdef"
NOW = 1_000_000.0


def command(id: str = "c1", issued: float = NOW) -> Command:  # noqa: A002
    return Command(id=id, action="reset", plugins=["http"], issued=issued, by="web-1")


def inbox(started: float = NOW - 3600) -> Inbox:
    return Inbox(Signer(SECRET, "shop"), started)


def signed(message: Command | Result | None = None, secret: str = SECRET, name: str = "shop") -> bytes:
    return Signer(secret, name).sign(message or command())


def test_a_command_runs_once() -> None:
    box = inbox()
    assert box.take("k", signed(), NOW) == command()
    assert box.take("k", signed(), NOW + 1) == ""
    assert box.take("another key", signed(), NOW + 1) == ""


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[" * 9999, b"\xff", b'{"body": "{}", "mac": ""}', b'{"body":1,"mac":2}']
)
def test_bytes_of_others_are_refused(data: bytes) -> None:
    assert inbox().take("k", data, NOW) == "it is not signed with discovery.secret"


def test_another_secret_cluster_body_or_purpose_is_refused() -> None:
    envelope = json.loads(signed())
    changed = json.dumps({**envelope, "body": envelope["body"].replace("http", "jobs")}).encode()
    result = Result(command="c1", server="a", ok=True, message="")
    for data in (signed(secret="fedcba9876543210"), signed(name="blog"), changed, signed(result)):
        assert inbox().take("k", data, NOW) == "it is not signed with discovery.secret"
    assert Signer(SECRET, "shop").result(signed()) is None
    assert Signer(SECRET, "shop").result(signed(result)) == result


def test_an_unknown_action_is_refused_even_if_it_is_signed() -> None:
    body = msgspec.json.encode({**msgspec.to_builtins(command()), "action": "stop"}).decode()
    signer = Signer(SECRET, "shop")
    data = msgspec.json.encode({"body": body, "mac": signer._mac(Command, body)})
    assert inbox().take("k", data, NOW) == "it is not signed with discovery.secret"


@pytest.mark.parametrize("late", [-WINDOW - 1, WINDOW + 1])
def test_a_command_of_another_time_is_refused(late: float) -> None:
    refused = inbox().take("k", signed(), NOW + late)
    assert isinstance(refused, str)
    assert refused.startswith("it was issued ")


def test_a_command_from_before_the_start_was_for_the_predecessor() -> None:
    assert inbox(started=NOW).take("k", signed(), NOW + 1) == ""


def test_a_refused_key_is_named_once_and_the_memory_is_bounded() -> None:
    box = inbox()
    assert box.take("k", b"", NOW) != ""
    assert box.take("k", b"", NOW + 1) == ""
    texts = {box.take(f"k{number}", b"", NOW) for number in range(20_000)}
    assert texts == {"it is not signed with discovery.secret", ""}
    assert len(box._seen) == 10_000
    assert box.take("k", signed(), NOW + 2 * WINDOW + 1) != ""  # forgotten, and too old
    assert len(box._seen) == 1
