"""Where ``rr serve`` has its config from: a file, a worker file, or both. Read at the start and at each reload."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

from pyroadrunner.cli.serve import worker_file
from pyroadrunner.config.load import LoadOptions, load, load_without_file, prepare
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.errors import RoadRunnerError


@dataclass(frozen=True, kw_only=True)
class Source:
    """Holds what does not change between two reads.

    Attributes:
        options: with absolute paths.
        worker: the worker file as the user named it; empty = the config has the command.
        command: that runs it.
        built_in: whether there is no file, and defaults stand in for it.
    """

    options: LoadOptions
    worker: str
    command: tuple[str, ...]
    built_in: bool

    @classmethod
    def of(cls, options: LoadOptions, worker: str, *, config_named: bool) -> Source:
        """What the command line says; changes to the folder to work in.

        Args:
            config_named: whether the config was asked for by ``-c``: then it has to be there.

        Raises:
            RoadRunnerError: the folder, the dotenv file or the worker file is not there.
        """
        # Before the folder is changed: the file is named from where the user is.
        command = _command(worker) if worker else ()
        options = prepare(options)
        built_in = bool(worker) and not config_named and not os.path.exists(options.path)
        return cls(options=options, worker=worker, command=command, built_in=built_in)

    def read(self) -> RawConfig:
        """The config as it is now. Variables are those of the start, and of the dotenv file then.

        Raises:
            ConfigError: it can't be read.
        """
        if self.built_in:
            defaults = worker_file.defaults(list(self.command))
            return load_without_file(defaults, self.options, source=f"rr serve {self.worker}")
        if not self.worker:
            return load(self.options)
        command = worker_file.override(list(self.command))
        return load(replace(self.options, overrides=(command, *self.options.overrides)))


def _command(worker: str) -> tuple[str, ...]:
    path = os.path.abspath(worker)
    if not os.path.isfile(path):
        if os.path.isdir(worker):
            raise RoadRunnerError(f"{worker}: a folder is no worker; to watch it: rr serve --watch={worker}")
        raise RoadRunnerError(f"open {worker}: no such file; name the file of the worker: rr serve worker.php")
    return tuple(worker_file.command_for(path, sys.executable))
