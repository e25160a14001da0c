"""The page of ``temporal`` on the dashboard."""

from __future__ import annotations

from pyroadrunner.contracts import Column, Figure, Figures, Page, Row, Table
from pyroadrunner.plugins.temporal.host import Host

_COLUMNS = (
    Column(key="queue", label="Task queue"),
    Column(key="workflows", label="Workflow types", kind="number"),
    Column(key="activities", label="Activity types", kind="number"),
)


def queues_page(host: Host) -> Page:
    """The connection, the counters, and the task queues."""
    figures = [
        Figure(label="Connection", value=host.state, kind="state"),
        Figure(label="Namespace", value=host.namespace),
        Figure(label="Running activities", value=len(host.running), kind="number"),
        Figure(label="Cached workflow runs", value=host.cached_runs(), kind="number"),
    ]
    rows = [
        Row(
            id=info.task_queue,
            cells={
                "queue": info.task_queue,
                "workflows": len(info.workflows),
                "activities": len(info.activities),
            },
            details={
                "Workflow types": "\n".join(workflow.name for workflow in info.workflows),
                "Activity types": "\n".join(info.activities),
            },
        )
        for info in host.infos
    ]
    table = Table(title="Task queues", columns=_COLUMNS, rows=rows, empty="The workers have named no task queue.")
    return Page(blocks=[Figures(figures=figures), table], error=host.error)
