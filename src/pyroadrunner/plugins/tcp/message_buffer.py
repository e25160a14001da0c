"""Collects the bytes of a connection until they end with the delimiter. Pure.

RoadRunner looks at the end of each chunk that it has read; this looks at the end of all that has arrived, so a
delimiter may come in two chunks. As there, messages that have arrived together are one message, and what follows the
last delimiter waits for the next one.
"""

from __future__ import annotations


class MessageBuffer:
    """What has arrived and was not taken yet; no memory is kept while it is empty.

    Args:
        delimiter: the end of a message.
    """

    __slots__ = ("_data", "_delimiter")

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._data: bytes | bytearray = b""

    def __repr__(self) -> str:
        return f"MessageBuffer({len(self._data)} B)"

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: bytes) -> None:
        """Append a chunk."""
        if not self._data:
            self._data = data
            return
        if isinstance(self._data, bytes):
            self._data = bytearray(self._data)
        self._data += data

    def take(self) -> bytes | bytearray | None:
        """Take everything if it ends with the delimiter; ``None`` if it does not."""
        return self.take_rest() if self._data.endswith(self._delimiter) else None

    def take_rest(self) -> bytes | bytearray | None:
        """Take everything; ``None`` if there is nothing."""
        data, self._data = self._data, b""
        return data or None
