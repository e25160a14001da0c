"""What ``service`` refuses. The texts are RoadRunner's (rpc-cli-config.md, section 4.5) where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.errors import RoadRunnerError


class ServiceError(RoadRunnerError):
    """About one service; ``service`` is its name."""

    def __init__(self, text: str, service: str) -> None:
        super().__init__(text)
        self.service = service


class ServiceExists(ServiceError):
    """A service of that name is there already."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service with {service} name already exists", service)


class UnknownService(ServiceError):
    """No service has that name."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service with {service} name doesn't exist", service)


class NoProcesses(ServiceError):
    """Asked for with less than one process."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service with {service} name should have at least 1 process", service)


class BadCommand(ServiceError):
    """The command is empty, or has a quote that is not closed."""

    def __init__(self, service: str, problem: str) -> None:
        super().__init__(f"the command of the service {service} {problem}", service)


class ServiceClosed(ServiceError):
    """It was terminated, or the server stops, while it was being started."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the service {service} was stopped while it was being started", service)


class NotRunning(ServiceError):
    """The process that was asked about has ended; ``how`` says how."""

    def __init__(self, service: str, pid: int, how: str) -> None:
        super().__init__(f"the process {pid} of the service {service} is not running: {how}", service)
        self.pid = pid
        self.how = how


class StartFailed(ServiceError):
    """A process could not be started; ``command`` is what was to be run, ``reason`` the system's."""

    def __init__(self, service: str, command: Sequence[str], reason: str) -> None:
        super().__init__(
            f"service {service}: fork/exec {command[0]}: {reason}\n  command: {' '.join(command)}", service
        )
        self.command = list(command)
        self.reason = reason


class ResetFailed(RoadRunnerError):
    """Some services did not come up again and were forgotten. ``causes`` has each one's name and error."""

    def __init__(self, causes: Mapping[str, BaseException]) -> None:
        super().__init__("\n\t".join(str(error) for error in causes.values()))
        self.causes = dict(causes)
