"""What a token permits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroadrunner.plugins.mercure.errors import BadToken
from pyroadrunner.plugins.mercure.selectors import InvalidSelector, Matcher, Selector

DETAIL = "https://mercure.rocks/authorization-detail"
_NAMESPACED = "https://mercure.rocks/"
_MAX_SELECTORS = 1000
_ALL = Selector("topic", "*")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grant:
    """The rights of a token.

    Attributes:
        publish, subscribe: what it may publish to, and which private updates it may receive.
        payloads: what subscriptions show, each for what it matches; the first counts.
        expires, not_before: Unix times; 0 = not set.
        modern: whether it is a token of 1.0.
    """

    publish: Sequence[Selector] = ()
    subscribe: Sequence[Selector] = ()
    payloads: Sequence[tuple[Sequence[Selector], Any]] = ()
    expires: float = 0.0
    not_before: float = 0.0
    modern: bool = False

    def check_time(self, now: float) -> None:
        """Whether it is valid now.

        Raises:
            BadToken
        """
        if self.expires and now >= self.expires:
            raise BadToken("it has expired")
        if now < self.not_before:
            raise BadToken("it is not valid yet")

    def payload(self, matcher: Matcher, selector: Selector) -> Any:
        """What a subscription shows; ``None`` = nothing."""
        for selectors, payload in self.payloads:
            if any(one == selector or matcher.matches(one, selector.text) for one in selectors):
                return payload
        return None


NOTHING = Grant()
"""The rights without a token."""


def read(header: Mapping[str, Any], claims: Any, matcher: Matcher, issuer: str, audience: str) -> Grant:
    """The rights of a verified token.

    Args:
        issuer, audience: what tokens of 1.0 must have; empty = not checked.

    Raises:
        BadToken
    """
    if not isinstance(claims, dict):
        raise BadToken("its claims are no object")
    expires, not_before = _time(claims, "exp"), _time(claims, "nbf")
    if _is_modern(header):
        return _read_details(claims, matcher, issuer, audience, expires, not_before)
    claim = claims.get("mercure", claims.get(_NAMESPACED))
    if claim is None:
        return Grant(expires=expires, not_before=not_before)
    if not isinstance(claim, dict):
        raise BadToken("its claim mercure is no object")
    payload = claim.get("payload")
    return Grant(
        publish=_topics(claim, "publish"),
        subscribe=_topics(claim, "subscribe"),
        payloads=[([_ALL], payload)] if payload is not None else (),
        expires=expires,
        not_before=not_before,
    )


def _is_modern(header: Mapping[str, Any]) -> bool:
    kind = header.get("typ")
    return isinstance(kind, str) and kind.lower().removeprefix("application/") == "at+jwt"


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken(f"its claim {name} is no number")
    return float(value) or 1e-9


def _topics(claim: Mapping[str, Any], name: str) -> Sequence[Selector]:
    texts = claim.get(name)
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadToken(f"its claim mercure.{name} is no list of texts")
    if len(texts) > _MAX_SELECTORS:
        raise BadToken(f"its claim mercure.{name} has more than {_MAX_SELECTORS} entries")
    return tuple(Selector("topic", text) for text in texts)


def _read_details(
    claims: Mapping[str, Any], matcher: Matcher, issuer: str, audience: str, expires: float, not_before: float
) -> Grant:
    """The claim ``authorization_details`` (RFC 9396)."""
    if not expires:
        raise BadToken("it has no claim exp")
    found = claims.get("iss")
    if not isinstance(found, str) or (issuer and found != issuer):
        raise BadToken("it is not from this issuer")
    audiences = claims.get("aud")
    if audience and audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise BadToken("it is not for this hub")
    details = claims.get("authorization_details", [])
    if not isinstance(details, list):
        raise BadToken("its claim authorization_details is no list")
    publish: list[Selector] = []
    subscribe: list[Selector] = []
    payloads: list[tuple[Sequence[Selector], Any]] = []
    for detail in details:
        if not isinstance(detail, dict) or detail.get("type") != DETAIL:
            continue
        actions, topics = detail.get("actions"), detail.get("topics")
        if not isinstance(actions, list) or not actions or not all(isinstance(one, str) for one in actions):
            raise BadToken("an authorization detail has no actions")
        if not isinstance(topics, list) or not topics:
            raise BadToken("an authorization detail has no topics")
        selectors = [_matcher(topic, matcher) for topic in topics]
        if "publish" in actions:
            publish += selectors
        if "subscribe" in actions:
            subscribe += selectors
            payload = detail.get("payload")
            if payload is not None and not isinstance(payload, dict):
                raise BadToken("the payload of an authorization detail is no object")
            if payload is not None:
                payloads.append((selectors, payload))
    if max(len(publish), len(subscribe)) > _MAX_SELECTORS:
        raise BadToken(f"it has more than {_MAX_SELECTORS} matchers")
    return Grant(
        publish=tuple(publish),
        subscribe=tuple(subscribe),
        payloads=payloads,
        expires=expires,
        not_before=not_before,
        modern=True,
    )


def _matcher(topic: Any, matcher: Matcher) -> Selector:
    if not isinstance(topic, dict) or not isinstance(topic.get("match"), str):
        raise BadToken("a topic of an authorization detail has no match")
    kind = topic.get("match_type", "exact")
    if kind not in ("exact", "urlpattern"):
        raise BadToken("a topic of an authorization detail has an unknown match_type")
    selector = Selector(kind, topic["match"])
    try:
        matcher.check(selector)
    except InvalidSelector as wrong:
        raise BadToken(f"a topic of an authorization detail is invalid: {wrong}") from wrong
    return selector
