"""What a publisher sends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from posixpath import normpath
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from pyroadrunner.plugins.mercure.errors import BadUpdate
from pyroadrunner.plugins.mercure.selectors import MAX_LENGTH, has_control
from pyroadrunner.plugins.mercure.update import EARLIEST

_MAX_ID = 1024  # characters of an id or a type
_MAX_RETRY = 1 << 53


class Rules:
    """Which updates are valid.

    Args:
        path: of the hub; topics below it are the hub's own.
        max_topics: of one update.
    """

    def __init__(self, path: str, max_topics: int) -> None:
        self._path = path
        self._max_topics = max_topics

    def read_form(self, body: bytes) -> tuple[Sequence[str], str, bool, str, str, str]:
        """Topics, data, whether it is private, id, type and retry of a form.

        Raises:
            BadUpdate
        """
        try:
            text = body.decode()
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=self._max_topics + 100)
        except UnicodeDecodeError as wrong:
            raise BadUpdate("The form is not valid UTF-8") from wrong
        except ValueError as wrong:
            raise BadUpdate("The form has too many fields", 413) from wrong
        first: dict[str, str] = {}
        for name, value in pairs:
            first.setdefault(name, value)
        topics = [value for name, value in pairs if name == "topic"]
        return (
            topics,
            first.get("data", ""),
            "private" in first,
            first.get("id", ""),
            first.get("type", ""),
            first.get("retry", ""),
        )

    def check(self, topics: Sequence[str], identity: str, kind: str, *, modern: bool) -> None:
        """Check the fields of an update.

        Args:
            modern: whether the publisher speaks 1.0.

        Raises:
            BadUpdate
        """
        if not topics or not all(topics):
            raise BadUpdate('Missing "topic" parameter')
        if len(topics) > self._max_topics:
            raise BadUpdate(f'More than {self._max_topics} "topic" parameters', 413 if modern else 400)
        for topic in topics:
            if len(topic) > MAX_LENGTH or has_control(topic):
                raise BadUpdate('Invalid "topic" parameter')
            if topic == "*" and modern:
                raise BadUpdate('Invalid "topic" parameter: * is reserved')
            if self.reserved(topic):
                raise BadUpdate(f"Topics below {self._path} are reserved for the hub", 400 if modern else 403)
        if identity.startswith("#") or identity == EARLIEST or has_control(identity) or len(identity) > _MAX_ID:
            raise BadUpdate('Invalid "id" parameter')
        if has_control(kind) or len(kind) > _MAX_ID or (modern and kind == "mercure"):
            raise BadUpdate('Invalid "type" parameter')

    def reserved(self, topic: str) -> bool:
        """Whether only the hub may publish to a topic."""
        if self._path in topic:
            return True
        try:
            path = unquote(urlsplit(urljoin(f"http://hub{self._path}", topic)).path)
        except ValueError:
            return False
        path = normpath(path.replace("\\", "/"))
        return path == self._path or path.startswith(f"{self._path}/")


def retry_of(text: str) -> int:
    """The number of a ``retry`` field.

    Raises:
        BadUpdate
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _MAX_RETRY:
        raise BadUpdate('Invalid "retry" parameter')
    return int(text)
