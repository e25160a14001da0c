"""Errors of ``service``. The texts are RoadRunner's where it has one (rpc-cli-config.md, section 4.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.errors import RoadRunnerError


class ServiceError(RoadRunnerError):
    """An error of one service; ``service`` is its name."""

    def __init__(self, text: str, service: str) -> None:
        super().__init__(text)
        self.service = service


class ServiceExists(ServiceError):
    """A service with this name exists already."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service with {service} name already exists", service)


class UnknownService(ServiceError):
    """No service has this name."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service with {service} name doesn't exist", service)


class NoProcesses(ServiceError):
    """The number of processes is less than one."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service with {service} name should have at least 1 process", service)


class BadCommand(ServiceError):
    """The command is empty, or has an unclosed quote."""

    def __init__(self, service: str, problem: str) -> None:
        super().__init__(f"the command of the service {service} {problem}", service)


class ServiceClosed(ServiceError):
    """The service was terminated, or the server stopped, during the start of the service."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service {service} was stopped while it was being started", service)


class NotRunning(ServiceError):
    """The process has exited; ``how`` describes the exit."""

    def __init__(self, service: str, pid: int, how: str) -> None:
        super().__init__(f"the process {pid} of the service {service} is not running: {how}", service)
        self.pid = pid
        self.how = how


class StartFailed(ServiceError):
    """A process could not be started; ``command`` is its command, ``reason`` the system's error."""

    def __init__(self, service: str, command: Sequence[str], reason: str) -> None:
        super().__init__(
            f"service {service}: fork/exec {command[0]}: {reason}\n  command: {' '.join(command)}", service
        )
        self.command = list(command)
        self.reason = reason


class ResetFailed(RoadRunnerError):
    """Some services failed to restart and were removed. ``causes`` maps names to errors."""

    def __init__(self, causes: Mapping[str, BaseException]) -> None:
        super().__init__("\n\t".join(str(error) for error in causes.values()))
        self.causes = dict(causes)
