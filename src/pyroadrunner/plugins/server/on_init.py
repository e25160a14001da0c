"""``server.on_init``: run a command before the first worker starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.plugins.server.config import OnInitConfig
from pyroadrunner.workers.child_process import Credentials, start_child
from pyroadrunner.workers.errors import describe_exit
from pyroadrunner.workers.output import OutputReader

log = Log("server")


class OnInitFailed(RoadRunnerError):
    """The command failed and ``exit_on_error`` is set."""


async def run_on_init(config: OnInitConfig, env: Mapping[str, str]) -> None:
    """Run the command and wait for it; its output is logged.

    Args:
        env: its complete environment.

    Raises:
        OnInitFailed: the command could not be started, failed, or took too long, and ``exit_on_error`` is set.
        UnknownUser: ``user`` does not exist.
    """
    problem = await _run(config, env)
    if problem is None:
        return
    if config.exit_on_error:
        raise OnInitFailed(f"server.on_init: {problem}\n  command: {' '.join(config.command)}")
    log.error("on_init was finished with errors", error=problem, command=" ".join(config.command))


async def _run(config: OnInitConfig, env: Mapping[str, str]) -> str | None:
    """Run the command; return the error message, or ``None``."""
    output = OutputReader(log.info)
    childs_end = await output.open()
    try:
        child = start_child(
            config.command,
            env=env,
            stdout=childs_end,
            stderr=childs_end,
            credentials=Credentials.of(config.user, ""),
        )
    except OSError as error:
        output.close()
        return f'exec: "{config.command[0]}": {(error.strerror or str(error)).lower()}'
    except BaseException:
        output.close()
        raise
    finally:
        os.close(childs_end)
    try:
        status = await child.wait(config.exec_timeout or OnInitConfig.exec_timeout)
        if status is None:
            return f"startup process has been killed by timeout ({config.exec_timeout:g} s)"
    finally:
        child.kill()
        await child.wait()
        await output.closed
    return None if status == 0 else describe_exit(status)
