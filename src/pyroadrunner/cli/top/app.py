"""The interactive view of ``rr top`` and ``rr workers -i``."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.message import Message
from textual.widgets import Footer, Input, Static

from pyroadrunner.cli.top.actions import Actions
from pyroadrunner.cli.top.columns import PIPELINES, POOLS, WORKERS, Column, Row, Tone, figures, fitting, title
from pyroadrunner.cli.top.columns import Text as CellText
from pyroadrunner.cli.top.dialogs import Help, Question
from pyroadrunner.cli.top.model import SORTS, Model, PipelineRow, View, WorkerRow, arranged
from pyroadrunner.cli.top.overview import Overview
from pyroadrunner.cli.top.poller import Poller
from pyroadrunner.cli.top.table import LiveTable
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import Address

_STYLES = {
    Tone.PLAIN: "",
    Tone.DIM: "dim",
    Tone.GOOD: "cyan",
    Tone.ACTIVE: "green",
    Tone.WARNING: "yellow",
    Tone.BAD: "bold red",
}
_NICE = 10
_THEME = "ansi-dark"  # the colours of the terminal itself, dark or light
_KEYS = (
    ("Tab", "move to the next table; arrows move in a table"),
    ("r", "reset: replace all workers of the selected pool; no request fails"),
    ("+  -", "add a worker to the selected pool, remove one"),
    ("R", "restart the selected worker once it has finished its call"),
    ("k", "kill the selected worker; its call fails, another worker starts"),
    ("p", "pause or resume the selected pipeline"),
    ("s  S", "sort the workers by the next column; reverse the order"),
    ("/", "filter the workers: pid, pool, status, request; Escape shows all"),
    ("o", "show or hide pools and pipelines"),
    ("Space", "freeze the screen, and go on"),
    ("?", "this list"),
    ("q", "quit"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line asks for.

    Attributes:
        plugins: the only plugins and pools to show; empty = all.
        interval: seconds between two updates.
        overview: whether pools and pipelines are shown at first.
        sort: the column that sorts the workers at first.
    """

    plugins: Sequence[str] = ()
    interval: float = 1.0
    overview: bool = True
    sort: str = "for"


class TopApp(App[None]):
    """Shows what the poller finds, and runs actions."""

    CSS = """
    Screen { layout: vertical; overflow: hidden; }
    #title { height: 1; text-style: bold; }
    #figures { height: 1; }
    #message { display: none; height: auto; max-height: 3; }
    LiveTable { height: auto; max-height: 9; margin-top: 1; overflow-x: hidden; }
    #workers { height: 1fr; max-height: 100%; }
    LiveTable > .datatable--header { background: ansi_default; color: ansi_default; text-style: bold underline; }
    LiveTable:nocolor > .datatable--cursor { text-style: reverse; }
    #filter { display: none; height: 1; border: none; padding: 0; }
    .folded #pools, .folded #pipelines, .low #pools, .low #pipelines, .empty { display: none; }
    .tiny LiveTable { margin-top: 0; }
    .tiny Footer { display: none; }
    Question, Help { align: center middle; }
    .dialog { width: auto; max-width: 90%; height: auto; max-height: 90%; border: round ansi_white; padding: 1 2; }
    .dialog Static { width: auto; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),  # fg goes on
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("r", "reset", "reset"),
        Binding("plus,equals_sign", "scale(1)", "add", key_display="+"),
        Binding("minus", "scale(-1)", "remove", key_display="-"),
        Binding("R", "restart", "restart", key_display="R"),
        Binding("k", "kill", "kill"),
        Binding("p", "pause", "pause"),
        Binding("s", "sort", "sort"),
        Binding("S", "reverse", show=False),
        # With priority, so that they move the focus before the next key is given to a widget.
        Binding("slash", "filter", "filter", key_display="/", priority=True),
        Binding("enter", "leave_filter", show=False, priority=True),
        Binding("o", "fold", "pools"),
        Binding("space", "freeze", "freeze"),
        Binding("escape", "show_all", show=False),
    ]

    class Found(Message):
        """The server has answered."""

        def __init__(self, overview: Overview) -> None:
            super().__init__()
            self.overview = overview

    class Lost(Message):
        """The server has not answered."""

        def __init__(self, error: RoadRunnerError) -> None:
            super().__init__()
            self.error = error

    def __init__(
        self,
        address: Address,
        settings: Settings,
        *,
        actions: Callable[[Address], Actions] = Actions,
        poller: Callable[..., Poller] = Poller,
    ) -> None:
        super().__init__(ansi_color=True)
        self._settings = settings
        self._model = Model(settings.plugins)
        self._actions = actions(address)
        self._poller = poller(
            address,
            settings.interval,
            lambda overview: self._post(self.Found(overview)),
            lambda error: self._post(self.Lost(error)),
        )
        self._sort = settings.sort
        self._reverse = False
        self._text = ""
        self._width = 80
        self._frozen = False
        self._lost = False
        self._view: View | None = None
        self._workers_by_pid: dict[str, WorkerRow] = {}

    # -- screen --------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Static("connecting", id="title", markup=False)
        yield Static("", id="figures", markup=False)
        yield Static("", id="message", markup=False)
        yield LiveTable("pools")
        yield LiveTable("pipelines")
        yield Input(id="filter", placeholder="filter: pid, pool, status, request", select_on_focus=False)
        yield LiveTable("workers")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.theme = _THEME
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.exit)
        self.screen.set_class(not self._settings.overview, "folded")
        self.screen.set_focus(self._table("workers"))
        self._poller.start()

    def on_unmount(self) -> None:
        self._poller.stop()

    def on_resize(self, event: Resize) -> None:
        self._width = event.size.width
        self.screen.set_class(event.size.height < 20, "low")
        self.screen.set_class(event.size.height < 12, "tiny")
        self._draw()

    def _post(self, message: Message) -> None:
        if self.is_running:
            self.post_message(message)

    def on_top_app_found(self, found: Found) -> None:
        try:
            view = self._model.update(found.overview)
        except RoadRunnerError as wrong:
            self._say(str(wrong), Tone.BAD)
            return
        if self._lost:
            self._lost = False
            self._say("the server answers again" + (f", with the pid {view.pid}" if view.pid else ""), Tone.GOOD)
        if not self._frozen:
            self._view = view
            self._draw()

    def on_top_app_lost(self, lost: Lost) -> None:
        self._lost = True
        first = str(lost.error).splitlines()[0]
        stale = "; the figures below are old" if self._view is not None else ""
        every = f"{self._settings.interval:g} s"
        self._say(f"the server does not answer: {first}\nnext attempt in {every}{stale}", Tone.BAD)

    def _draw(self) -> None:
        view = self._view
        if view is None:
            return
        width = self._width
        self._static("title").update(title(view) + ("   frozen: Space goes on" if self._frozen else ""))
        parts = [Text.assemble(f"{name} ", (value.text, _STYLES[value.tone])) for name, value in figures(view.totals)]
        self._static("figures").update(Text("   ").join(parts))
        self._fill("pools", POOLS, [(f"{row.plugin}/{row.name}", row) for row in view.pools], width)
        self._fill("pipelines", PIPELINES, [(row.name, row) for row in view.pipelines], width)
        rows = arranged(view.workers, self._sort, reverse=self._reverse, text=self._text)
        self._workers_by_pid = {str(row.pid): row for row in rows}
        self._fill("workers", WORKERS, [(str(row.pid), row) for row in rows], width)

    def _fill(self, name: str, columns: Sequence[Column[Row]], rows: Iterable[tuple[str, Row]], width: int) -> None:
        shown = fitting(columns, width)
        cells: Mapping[str, Sequence[Text]] = {key: [_cell(column, row) for column in shown] for key, row in rows}
        table = self._table(name)
        table.show_rows([self._header(column, name) for column in shown], cells)
        table.set_class(not cells and name != "workers", "empty")

    def _header(self, column: Column[Any], table: str) -> Text:
        text = column.header
        if table == "workers" and column.key == self._sort:
            text = f"{text} {'▼' if SORTS[self._sort][1] is not self._reverse else '▲'}"
        return Text(text, justify="right" if column.number else "left")

    def _say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        message = self._static("message")
        message.update(Text(text, _STYLES[tone]))
        message.display = bool(text)

    def _table(self, name: str) -> LiveTable:
        return self.query_one(f"#{name}", LiveTable)

    def _static(self, name: str) -> Static:
        return self.query_one(f"#{name}", Static)

    # -- keys that change the view -------------------------------------------------------------------------------------

    def action_help(self) -> None:
        self.push_screen(Help(_KEYS))

    def action_sort(self) -> None:
        keys = [column.key for column in fitting(WORKERS, self._width)]
        number = keys.index(self._sort) if self._sort in keys else -1
        self._sort, self._reverse = keys[(number + 1) % len(keys)], False
        self._draw()

    def action_reverse(self) -> None:
        self._reverse = not self._reverse
        self._draw()

    def action_fold(self) -> None:
        self.screen.toggle_class("folded")

    def action_freeze(self) -> None:
        self._frozen = not self._frozen
        self._draw()

    def action_filter(self) -> None:
        entry = self.query_one("#filter", Input)
        entry.display = True
        self.screen.set_focus(entry)  # entry.focus() would take effect later: the next keys would be commands

    def action_leave_filter(self) -> None:
        self.screen.set_focus(self._table("workers"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key does its action now; else a widget, or a dialog, gets the key."""
        if action == "leave_filter":
            return self._filtering
        return not (action == "filter" and (self._filtering or len(self.screen_stack) > 1))

    @property
    def _filtering(self) -> bool:
        return isinstance(self.focused, Input)

    def action_show_all(self) -> None:
        entry = self.query_one("#filter", Input)
        entry.value = ""
        entry.display = False
        self.screen.set_focus(self._table("workers"))

    def on_input_changed(self, changed: Input.Changed) -> None:
        self._text = changed.value
        self._draw()

    # -- keys that change the server -----------------------------------------------------------------------------------

    def action_reset(self) -> None:
        pool = self._pool()
        if pool:
            question = f"Replace all workers of {pool}? No request fails."
            self._ask(question, partial(self._actions.reset, pool), f"replacing the workers of {pool}")

    def action_scale(self, change: int) -> None:
        pool = self._pool()
        if pool:
            added = change > 0
            action = partial(self._actions.add_worker if added else self._actions.remove_worker, pool)
            self._do(action, f"adding a worker to {pool}" if added else f"removing a worker from {pool}")

    def action_restart(self) -> None:
        worker = self._worker()
        if worker is not None:
            self._do(partial(self._actions.restart_worker, worker.pid), f"restarting worker {worker.pid}")

    def action_kill(self) -> None:
        worker = self._worker()
        if worker is not None:
            loss = f"\n{worker.activity} fails." if worker.busy_for is not None else ""
            question = f"Kill worker {worker.pid} of {worker.pool}?{loss}"
            self._ask(question, partial(self._actions.kill_worker, worker.pid), f"killing worker {worker.pid}")

    def action_pause(self) -> None:
        pipeline = self._pipeline()
        if pipeline is None:
            self._say("select a pipeline first: Tab moves to the next table", Tone.WARNING)
        elif pipeline.state == "paused":
            self._do(partial(self._actions.resume, pipeline.name), f"resuming {pipeline.name}")
        else:
            question = f"Pause the pipeline {pipeline.name}? Its waiting jobs stay where they are."
            self._ask(question, partial(self._actions.pause, pipeline.name), f"pausing {pipeline.name}")

    def _pool(self) -> str:
        """The selected pool, or the plugin of a selected process outside a pool; empty, with a message, if none is."""
        if self.focused is self._table("pools"):
            name = self._table("pools").selected.partition("/")[2]
        else:
            row = self._workers_by_pid.get(self._table("workers").selected)
            name = (row.pool or row.plugin) if row is not None else ""
        if not name:
            self._say("select a pool or a worker first", Tone.WARNING)
        return name

    def _worker(self) -> WorkerRow | None:
        row = self._workers_by_pid.get(self._table("workers").selected)
        if row is None:
            self._say("select a worker first", Tone.WARNING)
        elif not row.pool:
            self._say(f"{row.pid} is no worker of a pool; r restarts all processes of {row.plugin}", Tone.WARNING)
            return None
        return row

    def _pipeline(self) -> PipelineRow | None:
        """The selected pipeline; the only one need not be selected."""
        rows = self._view.pipelines if self._view is not None else ()
        if len(rows) == 1:
            return rows[0]
        table = self._table("pipelines")
        selected = table.selected if self.focused is table else ""
        return next((row for row in rows if row.name == selected), None)

    def _ask(self, question: str, action: Callable[[], str], doing: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._do(action, doing)

        self.push_screen(Question(question), answered)

    def _do(self, action: Callable[[], str], doing: str) -> None:
        """Run an action in a thread. ``doing`` is shown until it is done."""
        self._say(f"{doing} ...")

        def run() -> None:
            try:
                done, tone = action(), Tone.GOOD
            except RoadRunnerError as error:
                done, tone = str(error), Tone.BAD
            self.call_from_thread(self._say, done, tone)
            self._poller.ask_now()

        self.run_worker(run, thread=True)


def _cell(column: Column[Row], row: Row) -> Text:
    found: CellText = column.cell(row)
    return Text(found.text, _STYLES[found.tone], justify="right" if column.number else "left", no_wrap=True)


def run(address: Address, settings: Settings) -> int:
    """Show the view until the user quits; return 0. Drawing takes a tenth of a CPU: what serves requests goes first."""
    os.nice(_NICE)
    if not os.environ.get("NO_COLOR"):  # Textual takes an empty one for a wish, too
        os.environ.pop("NO_COLOR", None)
    TopApp(address, settings).run()
    return 0
