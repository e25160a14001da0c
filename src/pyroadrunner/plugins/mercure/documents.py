"""Documents of subscriptions, in both generations. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from pyroadrunner.plugins.mercure.grants import Grant
from pyroadrunner.plugins.mercure.selectors import Matcher, Selector
from pyroadrunner.plugins.mercure.stores.contract import Subscription

_CONTEXT = "https://mercure.rocks/"
_KINDS = ("exact", "urlpattern")


def path_of(hub: str, selector: Selector, subscriber: str) -> str:
    """The path of a subscription, which is the topic of its events; each segment is encoded once."""
    kind = "" if selector.kind == "topic" else f"/{selector.kind}"
    return f"{hub}/subscriptions{kind}/{quote(selector.text, safe='')}/{quote(subscriber, safe='')}"


def subscriptions_of(
    hub: str, subscriber: str, selectors: Sequence[Selector], grant: Grant, matcher: Matcher
) -> list[Subscription]:
    """The subscriptions of a subscriber: one for each selector."""
    return [
        Subscription(
            id=path_of(hub, selector, subscriber),
            subscriber=subscriber,
            kind=selector.kind,
            text=selector.text,
            payload=grant.payload(matcher, selector),
        )
        for selector in dict.fromkeys(selectors)
    ]


def describe(subscription: Subscription, *, active: bool, context: bool = True) -> dict[str, Any]:
    """The document of a subscription.

    Args:
        context: whether that of 0.x stands alone: its ``@context`` is that of its collection otherwise.
    """
    document: dict[str, Any]
    if subscription.kind == "topic":
        document = {"@context": _CONTEXT} if context else {}
        document |= {
            "id": subscription.id,
            "type": "Subscription",
            "subscriber": subscription.subscriber,
            "topic": subscription.text,
            "active": active,
        }
    else:
        document = {
            "id": subscription.id,
            "type": "subscription",
            "match_type": subscription.kind,
            "match": subscription.text,
            "subscriber": subscription.subscriber,
            "active": active,
        }
    if subscription.payload is not None:
        document["payload"] = subscription.payload
    return document


class Wanted:
    """Which subscriptions a path of the API names.

    Args:
        rest: the encoded path behind ``/subscriptions``.
    """

    def __init__(self, rest: str) -> None:
        segments = [unquote(segment) for segment in rest.split("/")[1:]] if rest else []
        self.kind = ""
        if len(segments) >= 2 and segments[0] in _KINDS:
            self.kind = segments.pop(0)
        self.valid = len(segments) <= 2 and all(segments)
        self.text = segments[0] if segments else None
        self.subscriber = segments[1] if len(segments) > 1 else None

    @property
    def single(self) -> bool:
        return self.subscriber is not None

    def has(self, subscription: Subscription) -> bool:
        """Whether a subscription is one of them."""
        if self.text is None:
            return True
        if subscription.text != self.text or subscription.kind != (self.kind or "topic"):
            return False
        return self.subscriber is None or subscription.subscriber == self.subscriber


def collection(path: str, found: Sequence[Subscription], last_id: str, *, modern: bool) -> dict[str, Any]:
    """The document of several subscriptions."""
    documents = [describe(one, active=True, context=False) for one in found]
    if modern:
        return {"id": path, "type": "subscriptions", "subscriptions": documents}
    return {
        "@context": _CONTEXT,
        "id": path,
        "type": "Subscriptions",
        "lastEventID": last_id,
        "subscriptions": documents,
    }


def encode(document: dict[str, Any]) -> bytes:
    """JSON with an indentation of two spaces, as the reference hub's."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2)
