"""The methods of the RPC service ``service`` (rpc-cli-config.md, section 4.5)."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.config.command_line import split_command
from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.service.config import ServiceConfig
from pyroadrunner.plugins.service.errors import BadCommand, NoProcesses, NotRunning
from pyroadrunner.plugins.service.process import ServiceProcess
from pyroadrunner.plugins.service.services import Services
from pyroadrunner.proto.service.v1 import service_pb2 as pb


def methods(services: Services) -> Mapping[str, RpcMethod]:
    """``Create``, ``Terminate``, ``Restart``, ``Status``, ``Statuses`` and ``List``."""

    async def create(request: pb.Create) -> pb.Response:
        await services.create(request.name, config_of(request))
        return pb.Response(ok=True)

    async def terminate(request: pb.Service) -> pb.Response:
        await services.terminate(request.name)
        return pb.Response(ok=True)

    async def restart(request: pb.Service) -> pb.Response:
        await services.restart(request.name)
        return pb.Response(ok=True)

    def status(request: pb.Service) -> pb.Status:
        """The status of the last process only; superseded by ``Statuses``."""
        process = services.find(request.name).processes[-1]
        if not process.running:
            raise NotRunning(request.name, process.pid, process.how)
        return status_of(process)

    def statuses(request: pb.Service) -> pb.Statuses:
        return pb.Statuses(status=[status_of(process) for process in services.find(request.name).processes])

    def names(_: pb.Service) -> pb.List:
        return pb.List(services=[service.name for service in services])

    return {
        "Create": RpcMethod(create, message=pb.Create),
        "Terminate": RpcMethod(terminate, message=pb.Service),
        "Restart": RpcMethod(restart, message=pb.Service),
        "Status": RpcMethod(status, message=pb.Service),
        "Statuses": RpcMethod(statuses, message=pb.Service),
        "List": RpcMethod(names, message=pb.Service),
    }


def config_of(request: pb.Create) -> ServiceConfig:
    """Convert a ``Create`` request to a config.

    Raises:
        NoProcesses, BadCommand.
    """
    if request.process_num < 1:
        raise NoProcesses(request.name)
    try:
        command = split_command(request.command)
    except ValueError as wrong:
        raise BadCommand(request.name, str(wrong)) from wrong
    if not command:
        raise BadCommand(request.name, "should not be empty")
    return ServiceConfig(
        command=command,
        process_num=request.process_num,
        exec_timeout=float(max(request.exec_timeout, 0)),
        remain_after_exit=request.remain_after_exit,
        restart_sec=request.restart_sec,
        timeout_stop_sec=request.timeout_stop_sec,
        env=dict(request.env),
        service_name_in_log=request.service_name_in_logs,
    )


def status_of(process: ServiceProcess) -> pb.Status:
    """The status of a process; if it is not running, its pid, command and the reason."""
    info = process.info()
    return pb.Status(
        cpu_percent=info.cpu_percent,
        pid=info.pid,
        memory_usage=info.memory_usage,
        command=info.command,
        status=None if process.running else pb.Problem(message=process.how or "not started yet"),
    )
