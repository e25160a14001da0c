"""One line per change of state."""

from __future__ import annotations

from pyroadrunner.plugins.discovery.standing import Standing, State
from support.log import logged


def make() -> Standing:
    return Standing({"registry": "consul"}, ["registration", "servers"], State.REGISTERED)


def test_an_outage_is_two_lines_whatever_breaks() -> None:
    standing = make()
    with logged("discovery") as log:
        assert standing.message() == "connecting"
        standing.good("servers")
        standing.good("registration")
        for reason in ("refused", "reset", "timeout"):
            standing.bad("servers", State.CONNECTING, reason)
            standing.bad("registration", State.CONNECTING, reason)
        assert standing.message() == "connecting: timeout"
        standing.good("registration")
        standing.good("servers")
    assert [(level, text) for level, text, _ in log.lines] == [
        ("INFO", "server is registered"),
        ("WARNING", "registry does not answer; requests are not affected, and the server tries again"),
        ("INFO", "server is registered again"),
    ]
    assert standing.message() == ""


def test_the_worst_state_counts() -> None:
    standing = make()
    standing.good("servers")
    standing.bad("registration", State.TAKEN, "taken")
    assert standing.state is State.TAKEN
    standing.bad("servers", State.FAILED, "denied")
    assert standing.message() == "failed: denied"
    standing.good("servers")
    assert standing.message() == "id taken: taken"


def test_a_registry_that_is_only_read_is_connected() -> None:
    standing = Standing({"registry": "file"}, ["servers"], State.CONNECTED)
    with logged("discovery") as log:
        standing.good("servers")
    assert standing.state is State.CONNECTED
    assert log.messages == ["registry is read"]
