"""``rr serve --watch``: when a file changes, new workers in place of the old ones, with one line that says so."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from pyroadrunner.cli.console import complain
from pyroadrunner.container.promises import keeping
from pyroadrunner.contracts import HasPools
from pyroadrunner.errors import RoadRunnerError

# What workers are made of. A folder is full of files that change for other reasons: logs, caches, databases.
SUFFIXES = frozenset(
    {".php", ".phtml", ".inc", ".module", ".twig", ".latte", ".neon", ".py", ".env", ".yaml", ".yml", ".xml", ".ini"}
)
NOT_IN = frozenset(
    {".git", ".hg", ".svn", ".idea", ".vscode", ".venv", "venv", "node_modules", "__pycache__"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".phpunit.cache"}
    | {"var", "storage", "cache", "logs", "log", "tmp", "temp"}  # where frameworks write
)
_DEBOUNCE_MS = 300  # an editor, or a checkout, writes many files within this time


class Watcher:
    """Watches files for as long as the server lives.

    Args:
        paths: absolute, of files and folders; none = the folder worked in. In a folder only files of :data:`SUFFIXES`
            count, and none below :data:`NOT_IN`; a file that is named counts whatever it is.
        config: path of the config, which is reloaded when it changes and is in one of the folders.
        say: prints a line on stdout.
        reload: reads the config again.

    Raises:
        RoadRunnerError: the package is missing, or a path is not there.
    """

    def __init__(
        self, paths: Sequence[str], config: str, say: Callable[[str], None], reload: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            import watchfiles
        except ImportError:
            raise RoadRunnerError(
                "rr serve --watch needs the package `watchfiles`: pip install 'pyroadrunner[watch]'"
            ) from None
        self._awatch = watchfiles.awatch
        self._folders = list(paths) or [os.getcwd()]
        for path in self._folders:
            if not os.path.exists(path):
                raise RoadRunnerError(f"--watch={path}: no such file or folder")
        # Of a file its folder is watched: editors write a new file and move it over the old one.
        self._files = {path for path in self._folders if os.path.isfile(path)}
        self._folders = [path for path in self._folders if path not in self._files]
        self._config = config
        self._say = say
        self._reload = reload

    def __repr__(self) -> str:
        return f"Watcher({[*self._folders, *self._files]})"

    async def watch(self, plugins: Sequence[object]) -> None:
        """Replace the workers of these plugins at each change, until cancelled."""
        watched = {*self._folders, *map(os.path.dirname, self._files)}
        try:
            async for changes in self._awatch(*watched, watch_filter=None, debounce=_DEBOUNCE_MS):
                await self._act(sorted({path for _, path in changes}), plugins)
        except OSError as wrong:  # no more watches to be had, for one
            complain(f"[ERROR] --watch: files are watched no more: {wrong}")

    async def _act(self, paths: Sequence[str], plugins: Sequence[object]) -> None:
        if self._config in paths:
            await self._reload()  # the log says what came of it
        counting = [path for path in paths if path != self._config and self.counts(path)]
        if counting:
            await self._replace(plugins, describe_changes(counting))

    def counts(self, path: str) -> bool:
        """Whether a change of this file is one of the workers' code."""
        if path in self._files:
            return True
        folders = [folder for folder in self._folders if Path(path).is_relative_to(folder)]
        inner = [Path(path).relative_to(folder) for folder in folders]
        return any(_suffix(one) in SUFFIXES and NOT_IN.isdisjoint(one.parts[:-1]) for one in inner)

    async def _replace(self, plugins: Sequence[object], what: str) -> None:
        began = time.monotonic()
        pools = {name: pool for plugin in keeping(plugins, HasPools) for name, pool in plugin.pools().items()}
        failed = {}
        for name, pool in pools.items():
            try:
                await pool.reset()
            except RoadRunnerError as wrong:
                failed[name] = str(wrong)
        for name, why in failed.items():
            complain(f"[ERROR] {what}: new workers of {name} do not start, the old ones go on: {why}")
        done = [name for name in pools if name not in failed]
        if done:
            self._say(f"[INFO] {what}: new workers for {', '.join(done)} in {time.monotonic() - began:.2f} s")


def describe_changes(paths: Sequence[str]) -> str:
    """The first of the changed files, as seen from here, and how many more."""
    first = os.path.relpath(paths[0])
    name = paths[0] if first.startswith("..") else first
    return f"{name} (and {len(paths) - 1} more) changed" if len(paths) > 1 else f"{name} changed"


def split(values: Iterable[str]) -> list[str]:
    """Paths of ``--watch``, ``--watch=a,b --watch=c``."""
    return [path for value in values for path in value.split(",") if path]


def _suffix(path: Path) -> str:
    return path.name if path.name == ".env" else path.suffix
