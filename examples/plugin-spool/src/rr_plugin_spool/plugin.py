"""The plugin: lifecycle, RPC, metrics, status, a page of the dashboard, and reload."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from pyroadrunner.contracts import (
    POOL_KEYS,
    Action,
    Column,
    Figure,
    Figures,
    HasMetrics,
    HasPages,
    HasPools,
    HasRpc,
    HasStatus,
    HasTask,
    Log,
    MetricFamily,
    Page,
    PageInfo,
    Payload,
    Plugin,
    PoolFactory,
    PreparedReload,
    Reloadable,
    RoadRunnerError,
    Row,
    RpcMethod,
    Sample,
    Table,
    UnknownAction,
    WorkerPool,
    all_serve,
    destroy_pools,
    excerpt,
    has_free_worker,
    queue_metrics,
    start_pools,
)
from rr_plugin_spool.config import SpoolConfig
from rr_plugin_spool.consumer import Consumer, read_reply

log = Log("spool")


@final
class SpoolPlugin(Plugin, HasTask, HasPools, HasRpc, HasMetrics, HasStatus, HasPages, Reloadable):
    """The ``spool`` section."""

    name = "spool"

    def __init__(self, config: SpoolConfig, factory: PoolFactory) -> None:
        self._config = config
        self._factory = factory
        self._pools: dict[str, WorkerPool] = {}
        self._consumer: Consumer | None = None

    async def start(self) -> None:
        folder = Path(self._config.folder)
        if not folder.is_dir():
            raise RoadRunnerError(f"spool.folder: there is no folder {folder}")
        self._pools = await start_pools(self._factory, {"spool": self._config.pool}, {"RR_MODE": "spool"})
        self._consumer = Consumer(self._pools["spool"], folder, self._config, log)
        log.debug("plugin was started", folder=str(folder))

    async def run(self) -> None:
        if self._consumer is not None:
            await self._consumer.run()

    async def stop(self, grace: float) -> None:
        if self._consumer is not None:
            self._consumer.stop()
        await destroy_pools(self._pools, grace)

    # HasPools: `rr workers`, `rr reset spool`

    def pools(self) -> Mapping[str, WorkerPool]:
        return self._pools

    # HasRpc: `spool.Run`

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return {"Run": RpcMethod(self._run_text, argument=str)}

    async def _run_text(self, text: str) -> str:
        payload = Payload(json.dumps({"file": None}).encode(), text.encode())
        reply = await self._pools["spool"].exec(payload, describe=lambda: "spool.Run")
        return (await read_reply(reply)).decode()

    # HasMetrics: the `metrics` section

    async def metrics(self) -> Sequence[MetricFamily]:
        results = self._consumer.results if self._consumer is not None else {}
        samples = [Sample({"result": result}, count) for result, count in results.items()]
        files = MetricFamily("rr_spool_files_total", "counter", "Files that workers were given.", samples)
        return [files, *await queue_metrics("spool", self._pools)]

    # HasStatus: the `status` section

    async def healthy(self) -> bool:
        return await all_serve(self._pools.values())

    async def ready(self) -> bool:
        return await has_free_worker(self._pools.get("spool"))

    # HasPages: the `dashboard` section

    def pages(self) -> Sequence[PageInfo]:
        return [PageInfo(name="files", title="Spool")]

    async def page(self, name: str) -> Page:
        results = self._consumer.results if self._consumer is not None else {}
        figures = [Figure(label=result.capitalize(), value=count, kind="number") for result, count in results.items()]
        rows = [
            Row(
                id=file.name,
                cells={"file": file.stem, "size": file.stat().st_size},
                actions=["retry"],
                details={"Text": excerpt(file.read_bytes())},
            )
            for file in self._failed()
        ]
        table = Table(
            title="Failed files",
            columns=[Column(key="file", label="File"), Column(key="size", label="Size", kind="bytes")],
            rows=rows,
            actions=[Action(name="retry", label="Retry")],
            empty="No file has failed.",
        )
        return Page(blocks=[Figures(figures=figures), table])

    async def run_action(self, page: str, action: str, row: str) -> str:
        if action != "retry":
            raise UnknownAction(page, action)
        for file in self._failed():  # the name comes from the browser: it must be one of ours
            if file.name == row:
                file.rename(file.with_suffix(".txt"))
                return f"{file.stem} is processed again."
        raise RoadRunnerError(f"There is no failed file {row}.")

    def _failed(self) -> list[Path]:
        return sorted(Path(self._config.folder).glob("*.failed"))[:100]

    # Reloadable: `rr reload`, SIGHUP

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        return {"interval", "timeout", *(f"pool.{key}" for key in POOL_KEYS)}

    async def prepare_reload(self, section: SpoolConfig, whole: Mapping[str, Any]) -> PreparedReload:
        def apply() -> None:
            self._config = section
            self._pools["spool"].reconfigure(section.pool)
            if self._consumer is not None:
                self._consumer.config = section

        return PreparedReload(apply)
