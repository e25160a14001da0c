"""The page of ``service`` on the dashboard."""

from __future__ import annotations

from pyroadrunner.contracts import Action, Column, Page, PageInfo, Row, Table, UnknownAction
from pyroadrunner.plugins.service.process import ServiceProcess
from pyroadrunner.plugins.service.services import Services

INFO = PageInfo(name="services", title="Services")

_COLUMNS = (
    Column(key="service", label="Service"),
    Column(key="state", label="State", kind="state"),
    Column(key="pid", label="PID", kind="code"),
    Column(key="memory", label="Memory", kind="bytes"),
    Column(key="cpu", label="CPU %", kind="number"),
    Column(key="command", label="Command", kind="code"),
    Column(key="ended", label="Last end"),
)
_ACTIONS = (
    Action(name="restart", label="Restart", confirm="Restart all processes of this service, one after the other?"),
    Action(
        name="stop",
        label="Stop",
        confirm="Stop this service? It is gone until the server starts again.",
        danger=True,
    ),
)


def services_page(services: Services) -> Page:
    """All processes."""
    rows = [
        _row(service.name, number, process) for service in services for number, process in enumerate(service.processes)
    ]
    return Page(
        blocks=[Table(title="Processes", columns=_COLUMNS, rows=rows, actions=_ACTIONS, empty="There are no services.")]
    )


async def steer(services: Services, action: str, row: str) -> str:
    """Restart or stop a service.

    Raises:
        UnknownAction, UnknownService, StartFailed, UnknownUser
    """
    name = row.rpartition("/")[0]
    if action == "restart":
        await services.restart(name)
        return f"{name} was restarted."
    if action == "stop":
        await services.terminate(name)
        return f"{name} was stopped."
    raise UnknownAction(INFO.name, action)


def _row(name: str, number: int, process: ServiceProcess) -> Row:
    info = process.info()
    return Row(
        id=f"{name}/{number}",
        cells={
            "service": name,
            "state": "running" if process.running else "stopped",
            "pid": info.pid or None,
            "memory": info.memory_usage if process.running else None,
            "cpu": round(info.cpu_percent, 1) if process.running else None,
            "command": info.command,
            "ended": process.how,
        },
        actions=["restart", "stop"],
    )
