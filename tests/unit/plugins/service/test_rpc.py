"""Requests of ``service.Create``, and the status of processes."""

from __future__ import annotations

import pytest

from pyroadrunner.log import Log
from pyroadrunner.plugins.service.config import ServiceConfig
from pyroadrunner.plugins.service.errors import BadCommand, NoProcesses
from pyroadrunner.plugins.service.process import ServiceProcess, exit_text
from pyroadrunner.plugins.service.rpc import config_of, status_of
from pyroadrunner.proto.service.v1 import service_pb2 as pb


def test_every_field_of_a_request_has_its_key() -> None:
    request = pb.Create(
        name="a",
        command="php -r 'echo 1;'",
        process_num=3,
        exec_timeout=4,
        remain_after_exit=True,
        env={"k": "v"},
        restart_sec=7,
        service_name_in_logs=True,
        timeout_stop_sec=9,
    )
    assert config_of(request) == ServiceConfig(
        command=["php", "-r", "echo 1;"],
        process_num=3,
        exec_timeout=4.0,
        remain_after_exit=True,
        env={"k": "v"},
        restart_sec=7,
        service_name_in_log=True,
        timeout_stop_sec=9,
    )


@pytest.mark.parametrize("number", [0, -1])
def test_zero_processes_are_refused_with_roadrunners_text(number: int) -> None:
    with pytest.raises(NoProcesses, match=r"^the service with a name should have at least 1 process$"):
        config_of(pb.Create(name="a", command="x", process_num=number))


@pytest.mark.parametrize("command", ["", "  ", "a 'b"])
def test_an_invalid_command_is_refused(command: str) -> None:
    with pytest.raises(BadCommand, match=r"^the command of the service a "):
        config_of(pb.Create(name="a", command=command, process_num=1))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-9, "signal: killed"),
        (-2, "signal: interrupt"),
    ],
)
def test_an_exit_is_described_with_gos_text(status: int, text: str) -> None:
    assert exit_text(status) == text


def test_a_process_that_is_not_running_has_a_reason_instead_of_metrics() -> None:
    process = ServiceProcess("a", ServiceConfig(command=["/no/such", "--x"]), Log("service"))
    assert status_of(process) == pb.Status(command="/no/such --x", status=pb.Problem(message="not started yet"))
