"""The source of the config of ``rr serve``: a config file, a worker file, or both. Read at start and at each reload."""

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
    """The options that stay the same for every read.

    Attributes:
        options: load options with absolute paths.
        worker: the worker file as the user named it; empty = the config sets the command.
        command: the command that runs the worker file.
        built_in: whether there is no config file and defaults are used instead.
    """

    options: LoadOptions
    worker: str
    command: tuple[str, ...]
    built_in: bool

    @classmethod
    def of(cls, options: LoadOptions, worker: str, *, config_named: bool) -> Source:
        """Create the source from the command line. Changes the current folder to the working folder.

        Args:
            config_named: whether ``-c`` was given: then the config must exist.

        Raises:
            RoadRunnerError: the folder, the dotenv file or the worker file does not exist.
        """
        # Before the folder changes: the file is relative to the user's folder.
        command = _command(worker) if worker else ()
        options = prepare(options)
        built_in = bool(worker) and not config_named and not os.path.exists(options.path)
        return cls(options=options, worker=worker, command=command, built_in=built_in)

    def read(self) -> RawConfig:
        """Read the current config. Environment variables, also those of the dotenv file, are those of the start.

        Raises:
            ConfigError: the config can't be read.
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
            raise RoadRunnerError(f"{worker} is a folder, not a worker file; to watch it: rr serve --watch={worker}")
        raise RoadRunnerError(f"open {worker}: no such file; name the worker file: rr serve worker.php")
    return tuple(worker_file.command_for(path, sys.executable))
