"""What a subscriber asks for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from pyroadrunner.plugins.mercure.selectors import InvalidSelector, Kind, Matcher, Selector

_LAST_ID = ("lastEventID", "Last-Event-ID", "last_event_id")
_MATCHERS: dict[str, Kind] = {"match": "exact", "match_exact": "exact", "match_urlpattern": "urlpattern"}

Query = Sequence[tuple[str, str]]


class BadRequest(ValueError):
    """The query is not valid."""


def read_query(query: bytes, max_fields: int) -> Query:
    """The names and values of a query.

    Raises:
        BadRequest
    """
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=max_fields)
    except ValueError as wrong:
        raise BadRequest("The query has too many parameters.") from wrong


def selectors_of(query: Query, matcher: Matcher, most: int) -> Sequence[Selector]:
    """What a subscriber follows: ``topic`` of 0.x, and ``match`` of 1.0.

    Raises:
        BadRequest
    """
    found: list[Selector] = []
    for name, value in query:
        if name == "topic":
            found.append(Selector("topic", value))
        elif name[:5].lower() == "match":
            kind = _MATCHERS.get(name)
            if kind is None:
                raise BadRequest(f'Unknown "{name[:100]}" parameter.')
            selector = Selector(kind, value)
            try:
                matcher.check(selector)
            except InvalidSelector as wrong:
                raise BadRequest(f'Invalid "{name}" parameter: {wrong}.') from wrong
            found.append(selector)
    if not found:
        raise BadRequest('Missing "topic" parameter.')
    if len(found) > most:
        raise BadRequest(f"Exceeded limit of {most} topics.")
    return list(dict.fromkeys(found))


def last_id_of(query: Query, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The id of the last update that a subscriber has; empty = it asks for none. The header goes first."""
    for name, value in headers:
        if name == b"last-event-id" and value:
            return value.decode("utf-8", "replace")
    return next((value for name, value in query if name in _LAST_ID and value), "")
