"""Multipart bodies: fields in memory, files in temporary files that are always deleted after the request.

Bytes are written as they arrive. Small files are written in the event loop: the page cache takes them in microseconds,
a thread hop costs more. Large files are written in a thread, one megabyte at a time, because a full disk cache may
block for long.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from typing import Any

from pyroadrunner import temporary_files
from pyroadrunner.config.temporary import temporary_folder
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.body.forms import FormLimits, Tree, tree_value
from pyroadrunner.plugins.http.body.multipart import Event, Field, FileBegin, FileData, Reader
from pyroadrunner.plugins.http.body.reader import BodyReader
from pyroadrunner.plugins.http.config import UploadsConfig

OK, NO_TMP_DIR, CANT_WRITE, EXTENSION = 0, 6, 7, 8  # PHP's UPLOAD_ERR_*

_BLOCK = 1 << 20  # bytes gathered before a thread writes them
_SLICE = 1 << 14  # bytes parsed before other tasks run: a piece with only line breaks takes long

log = Log("http")

# The library warns about malformed bodies on its own logger; we log them once, with the request.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())


class UploadRules:
    """The rules of ``http.uploads``.

    Args:
        owner: user and group that get the files; ``None`` = keep our own.
    """

    def __init__(self, config: UploadsConfig, owner: tuple[int, int] | None = None) -> None:
        self.folder = os.path.abspath(config.dir) if config.dir else temporary_folder()
        self.owner = owner
        self._forbid = frozenset(config.forbid)
        self._allow = frozenset(config.allow) - self._forbid
        self._only_allowed = bool(config.allow)

    def __repr__(self) -> str:
        return f"UploadRules({self.folder!r}, forbid={sorted(self._forbid)}, allow={sorted(self._allow)})"

    def accepts(self, filename: str) -> bool:
        """Whether a file with this name is accepted: by its last extension in lower case, "" if it has none."""
        extension = "".join(filename.lower().rpartition(".")[1:]) if "." in filename else ""
        return extension in self._allow if self._only_allowed else extension not in self._forbid


class Upload:
    """One file being received. ``error`` is PHP's code; the bytes of a refused or failed file are discarded."""

    __slots__ = ("_buffer", "_descriptor", "error", "mime", "name", "path", "size")

    def __init__(self, begin: FileBegin, rules: UploadRules) -> None:
        self.name = begin.filename
        self.mime = begin.mime
        self.size = 0
        self.error = OK
        self.path = ""
        self._descriptor = -1
        self._buffer = bytearray()
        if not rules.accepts(begin.filename):
            self.error = EXTENSION
            return
        try:
            self._create(rules)
        except OSError as wrong:
            self.error = NO_TMP_DIR
            log.error("upload: can't create a temporary file", dir=rules.folder, error=str(wrong))

    def __repr__(self) -> str:
        return f"Upload({self.name!r}, size={self.size}, error={self.error}, path={self.path!r})"

    @property
    def info(self) -> dict[str, Any]:
        """The file's description for the worker, in RoadRunner's order."""
        kept = self.error == OK
        return {
            "name": self.name,
            "mime": self.mime,
            "size": self.size if kept else 0,
            "error": self.error,
            "tmpName": self.path if kept else "",
        }

    def gather(self, data: bytes) -> bool:
        """Buffer some bytes; return whether the buffer should be flushed."""
        if self.error != OK:
            return False
        self._buffer += data
        return len(self._buffer) >= _BLOCK

    def flush(self) -> None:
        """Write the buffered bytes. Blocks; may run in a thread. A failure sets ``error``."""
        data, self._buffer = self._buffer, bytearray()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as wrong:
            self.error = CANT_WRITE
            log.error("upload: can't write the temporary file", path=self.path, error=str(wrong))
            return
        self.size += len(data)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Close and delete the file, unless the worker has moved it. Idempotent."""
        self.close()
        if self.path:
            try:
                os.unlink(self.path)
            except OSError:
                pass  # the worker has moved the file or removed the folder
            temporary_files.discard(self.path)
            self.path = ""

    def _create(self, rules: UploadRules) -> None:
        while True:
            path = os.path.join(rules.folder, f"upload{secrets.randbelow(10**10)}")
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._descriptor = os.open(path, flags, 0o600)
            except FileExistsError:
                continue
            break
        self.path = path
        temporary_files.add(path)
        if rules.owner is not None:
            try:
                os.fchown(self._descriptor, *rules.owner)
            except OSError as wrong:
                log.warning("upload: can't change the file's owner to the workers' user", path=path, error=str(wrong))


class Form:
    """One multipart body.

    Attributes:
        size: bytes of the fields.
        files: the tree of the files' infos.
    """

    def __init__(self, rules: UploadRules, limits: FormLimits) -> None:
        self.size = 0
        self.files: dict[str, Any] = {}
        self._rules = rules
        self._limits = limits
        self._fields: list[Field] = []
        self._uploads: list[tuple[str, Upload]] = []
        self._writing: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"Form({len(self._uploads)} files)"

    async def read(self, content_type: str, body: BodyReader) -> None:
        """Read the body to its end. Call :meth:`discard` afterwards, even if this fails.

        Raises:
            UnreadableRequest: the body is malformed.
            FormTooLarge, FormTooDeep: a limit of ``http.forms`` is exceeded.
            RequestTooLarge, RequestTooSlow, ClientGone: see :class:`BodyReader`.
        """
        reader = Reader(content_type, self._limits)
        while body.more:
            data = await body.next_chunk()
            for start in range(0, len(data), _SLICE):
                if start:
                    await asyncio.sleep(0)
                for event in reader.feed(data[start : start + _SLICE]):
                    await self._on_event(event)
        reader.finish()
        files = Tree(self._limits, first=True)
        for name, upload in self._uploads:
            files.add(name, upload.info)
        self.size = reader.kept
        self.files = files.root

    def fields(self) -> dict[str, Any]:
        """Return the tree of the fields and release them; may run in a thread.

        Raises:
            UnreadableRequest, FormTooLarge, FormTooDeep: see :meth:`Tree.add`.
        """
        tree = Tree(self._limits, first=False)
        fields, self._fields = self._fields, []
        for field in fields:
            tree.add(field.name, tree_value(field.value))
        return tree.root

    def discard(self) -> None:
        """Delete all remaining files. If a thread is still writing, they are deleted after that, without waiting
        here."""
        if self._writing is not None and not self._writing.done():
            self._writing.add_done_callback(lambda _: self._remove())
        elif sum(upload.size for _, upload in self._uploads) > _BLOCK:
            # Deleting large files takes a while. The thread finishes even if the server stops.
            asyncio.get_running_loop().run_in_executor(None, self._remove)
        else:
            self._remove()

    async def _on_event(self, event: Event) -> None:
        if isinstance(event, FileData):
            upload = self._uploads[-1][1]
            if upload.gather(event.data):
                await self._flush_in_thread(upload)
        elif isinstance(event, Field):
            self._fields.append(event)
        elif isinstance(event, FileBegin):
            self._uploads.append((event.name, Upload(event, self._rules)))
        else:
            upload = self._uploads[-1][1]
            if upload.error == OK:
                upload.flush()
            upload.close()

    async def _flush_in_thread(self, upload: Upload) -> None:
        # Shielded: if we are cancelled, the thread keeps writing, and its file must stay open until it is done.
        self._writing = asyncio.get_running_loop().run_in_executor(None, upload.flush)
        await asyncio.shield(self._writing)

    def _remove(self) -> None:
        for _, upload in self._uploads:
            upload.remove()
