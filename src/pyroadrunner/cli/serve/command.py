"""``rr serve``: read the config, construct and run the plugins, return the exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pyroadrunner.cli.advice import advised
from pyroadrunner.cli.console import coloured, complain, say
from pyroadrunner.cli.serve import announce
from pyroadrunner.cli.serve.https import with_https
from pyroadrunner.cli.serve.no_config import NoConfig
from pyroadrunner.cli.serve.pid_file import PidFile
from pyroadrunner.cli.serve.source import Source
from pyroadrunner.cli.serve.watch import Watcher, split
from pyroadrunner.config.check import Checked, check
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.config.models import section_models
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.container.assemble import Assembly, assemble
from pyroadrunner.container.config import EndureConfig
from pyroadrunner.container.container import Container
from pyroadrunner.container.discover import installed, wanted
from pyroadrunner.container.graph import graphviz
from pyroadrunner.container.lifecycle import Hooks, Outcome, run_until_stopped
from pyroadrunner.container.process import ServerProcess
from pyroadrunner.container.reload.endure import Endure
from pyroadrunner.container.reload.reloader import Reloader
from pyroadrunner.container.remote_control import RemoteControl
from pyroadrunner.container.restart import LaunchContext, Role
from pyroadrunner.container.running_config import RunningConfig
from pyroadrunner.container.systemd import manager
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.net import activation, descriptors
from pyroadrunner.version import ROADRUNNER_VERSION, __version__

_log = Log("config")


def run(
    options: LoadOptions,
    worker: str = "",
    *,
    config_named: bool,
    silent: bool,
    pid_file: bool,
    debug: bool,
    watch: Sequence[str] = (),
    https: bool = False,
) -> int:
    """Run the server until a signal or a failure.

    Args:
        worker: a ``.php`` or ``.py`` file to run as worker; empty = the command of the config.
        config_named: whether ``-c`` was given: then the config must exist.
        watch: values of ``--watch``; empty = files are not watched.
        https: serve HTTPS with a certificate of the local authority.

    Returns:
        0 after a graceful stop, else 1. Does not return after SIGUSR2: the process executes itself again.

    Raises:
        RoadRunnerError: the config or a plugin can't be used, or a plugin failed to start.
    """
    role = Role.of(os.environ)
    origin = LaunchContext(os.getcwd(), dict(os.environ))
    manager.connect(os.environ)
    activation.receive(os.environ)
    descriptors.raise_limit()
    seen = sys.stdout.isatty()
    speak = _silent if silent or role.stand_in else _say_on_terminal if seen else say
    gc.disable()  # objects created until the start stay alive; collecting would waste time
    try:
        ending = _serve(
            options,
            worker,
            config_named=config_named,
            say=speak,
            seen=seen,
            pid_file=pid_file and not role.stand_in,
            debug=debug and not role.stand_in,
            watch=() if role.stand_in else watch,
            https=https,
            origin=origin,
            role=role,
        )
    except RoadRunnerError as wrong:
        if not role.stand_in:
            raise
        role.failed(str(wrong))
        return 1
    if ending.failure is not None and not role.stand_in:
        if not isinstance(ending.failure, RoadRunnerError):
            raise ending.failure  # a bug: main prints the traceback
        complain(advised(f"error: {ending.failure}"))
    if ending.restart:
        origin.start_again(ending.stand_in)
    if seen and not ending.code:
        speak("stopped")
    return ending.code


def _serve(
    options: LoadOptions,
    worker: str,
    *,
    config_named: bool,
    say: Callable[[str], None],
    seen: bool,
    pid_file: bool,
    debug: bool,
    watch: Sequence[str],
    https: bool,
    origin: LaunchContext,
    role: Role,
) -> Outcome:
    # Paths are relative to the user's folder: resolve them before the folder changes.
    watched = [os.path.abspath(path) for path in split(watch)] if watch else []
    source = Source.of(options, worker, config_named=config_named)
    if not worker and not config_named and not os.path.exists(source.options.path):
        raise NoConfig(source.options.path)
    about_https = ""
    if https:
        source, about_https = with_https(source)
    raw = source.read()
    models = section_models()
    checked = check(raw, models)
    checked.refuse_faults()
    section = checked.sections.get("endure", EndureConfig())
    assert isinstance(section, EndureConfig)
    endure = Endure(section)
    effective = RunningConfig(raw, checked, models)
    reloader = Reloader(lambda: _reread(source, models), sections=checked.sections, effective=effective, models=models)
    control = RemoteControl(reloader, ServerProcess(stand_in=role.stand_in))
    assembly = _assemble(raw, checked, effective, control)
    reloader.serve([*assembly.plugins, endure])
    if section.print_graph:
        print(graphviz(assembly.needs), flush=True)
    watcher = Watcher(watched, raw.path, say, reloader.hang_up) if watch else None
    pid = PidFile() if pid_file else None

    def on_ready() -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)  # requests leave few cycles: collect less often
        gc.enable()
        if seen:
            say(announce.ready(raw.data, __version__, ROADRUNNER_VERSION))
        else:
            built = f"pyroadrunner {__version__}"
            say(f"[INFO] RoadRunner server started; version: {ROADRUNNER_VERSION}, buildtime: {built}")
        if source.built_in:
            say(f"[INFO] {_notice(source, raw)}")
        if about_https:
            say(f"[INFO] {about_https}")

    def remove_pid() -> None:
        if pid is not None:
            pid.remove()

    if pid is not None:
        pid.write()
    around = partial(
        Hooks,
        say=say,
        on_ready=on_ready,
        on_forced_exit=remove_pid,
        on_hang_up=reloader.hang_up,
        origin=origin,
        role=role,
    )
    restart = False
    try:
        container = Container(assembly.plugins, lambda: _log_warnings(checked))
        background = [partial(watcher.watch, assembly.plugins)] if watcher is not None else []
        ending = _run_loop(container, endure, around, background, debug=debug)
        restart = ending.restart
        return ending
    finally:
        if not restart:
            remove_pid()


def _run_loop(
    container: Container,
    endure: Endure,
    around: Callable[..., Hooks],
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    *,
    debug: bool,
) -> Outcome:
    import asyncio

    import uvloop

    async def until_the_end() -> Outcome:
        return await run_until_stopped(
            container, endure, around(background=[*_debug_tasks(debug), *(make() for make in background)])
        )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(until_the_end())


def _debug_tasks(debug: bool) -> Iterator[Coroutine[Any, Any, None]]:
    if debug:
        from pyroadrunner.cli.serve.debug_server import debug_server  # imports psutil, too slow to import always

        yield debug_server()


def _reread(source: Source, models: Mapping[str, Any]) -> tuple[RawConfig, Checked]:
    raw = source.read()
    return raw, check(raw, models)


def _notice(source: Source, raw: RawConfig) -> str:
    http = raw.data.get("http") or {}
    rpc = raw.data.get("rpc") or {}
    return (
        f"serving {source.worker} on http://{http.get('address')} (rpc on {rpc.get('listen')}); no .rr.yaml found"
        " here, using defaults"
    )


def _assemble(raw: RawConfig, checked: Checked, effective: RunningConfig, control: RemoteControl) -> Assembly:
    plugins = installed()
    chosen = wanted(plugins, {name for name in raw.data if raw.present(name)})
    others = [plugin for plugin in plugins if plugin not in chosen]
    return assemble(chosen, checked.sections, effective, others=others, guests=[control])


def _log_warnings(checked: Checked) -> None:
    for warning in checked.warnings:
        _log.warning(str(warning))


def _say_on_terminal(text: str) -> None:
    say(announce.on_terminal(text, datetime.now(), coloured=coloured()))


def _silent(text: str) -> None:
    """Print nothing: ``-s``."""
