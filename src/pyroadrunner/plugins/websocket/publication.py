"""A message published to a topic. Pure."""

from __future__ import annotations

from base64 import b64encode

import msgspec

from pyroadrunner.httpd.websocket.message import OutMessage


class Publication:
    """One publication.

    Attributes:
        data: the payload as it was published.
        text: whether it is text; ``data`` is valid UTF-8 then.
        offset: its number in the topic, from 1 on; 0 = the topic has no history.
        epoch: identifies the history: with another epoch, offsets mean nothing.
        origin: id of a connection that does not get it; empty = all get it.
    """

    __slots__ = ("_enveloped", "_plain", "data", "epoch", "offset", "origin", "text", "topic")

    def __init__(
        self, topic: str, data: bytes, *, text: bool, offset: int = 0, epoch: str = "", origin: str = ""
    ) -> None:
        self.topic = topic
        self.data = data
        self.text = text
        self.offset = offset
        self.epoch = epoch
        self.origin = origin
        self._plain: OutMessage | None = None
        self._enveloped: OutMessage | None = None

    def __repr__(self) -> str:
        return f"Publication({self.topic!r}, {len(self.data)} bytes, offset={self.offset})"

    def message(self, *, envelope: bool) -> OutMessage:
        """What clients get: the payload alone, or a JSON object that names topic, offset and epoch too."""
        if not envelope:
            if self._plain is None:
                self._plain = OutMessage(self.data, text=self.text)
            return self._plain
        if self._enveloped is None:
            self._enveloped = OutMessage(self._envelope(), text=True)
        return self._enveloped

    def _envelope(self) -> bytes:
        fields: dict[str, str | int] = {"topic": self.topic}
        if self.offset:
            fields |= {"offset": self.offset, "epoch": self.epoch}
        if self.text:
            fields["data"] = self.data.decode()
        else:
            fields["base64"] = b64encode(self.data).decode()
        return msgspec.json.encode(fields)
