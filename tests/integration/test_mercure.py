"""The points of the Mercure specification, in both generations, against a running server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from support.mercure import (
    HUB,
    PUBLISHER_KEY,
    SUBSCRIBER_KEY,
    ask,
    modern,
    publish,
    publisher,
    subscribed,
    subscriber,
)
from support.php import require_php
from support.server import Server

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
PyRoadRunner\\Http\\Server::run(static fn ($request) => 'http');
"""


def config(**mercure: Any) -> dict[str, Any]:
    settings = {
        "publisher_jwt": {"key": PUBLISHER_KEY},
        "subscriber_jwt": {"key": SUBSCRIBER_KEY},
        "anonymous": True,
        **mercure,
    }
    return {
        "server": {"command": f"{require_php()} worker.php"},
        "http": {"pool": {"num_workers": 1}},
        "mercure": settings,
    }


def serving(folder: Path, **mercure: Any) -> Server:
    folder.mkdir(exist_ok=True)
    (folder / "worker.php").write_text(WORKER)
    return Server(folder, config(**mercure))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "subscriptions": True,
        "publish_origins": ["https://page.test"],
        "cors_origins": ["https://*.page.test", "https://page.test"],
        "issuer": "https://issuer.test",
        "resource_identifier": "https://hub.test",
    }
    with serving(tmp_path_factory.mktemp("mercure"), **settings) as server:
        yield server
        assert server.stop() == 0


def test_an_update_reaches_those_that_follow_its_topic(server: Server) -> None:
    with subscribed(server, "https://a.test/1") as events, subscribed(server, "https://a.test/2") as others:
        answer = publish(
            server, "https://a.test/1", "line 1\r\nline 2\rline 3\n", type="news", retry="1500", id="urn:x:1"
        )
        assert (answer.status, answer.text) == (200, "urn:x:1")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        raw = [events.line() for _ in range(8)]
        assert raw == [
            "event: news",
            "retry: 1500",
            "id: urn:x:1",
            "data: line 1",
            "data: line 2",
            "data: line 3",
            "data: ",
            "",
        ]
        publish(server, "https://a.test/2", "other")
        assert others.data(1) == ["other"]


def test_each_topic_of_an_update_counts(server: Server) -> None:
    with subscribed(server, "alternate/{id}") as events, subscribed(server, "*") as all_events:
        publish(server, ["canonical/1", "alternate/1"], "one")
        publish(server, ["canonical/2"], "two")
        publish(server, ["alternate/3", "alternate/4"], "three")
        assert events.data(2) == ["one", "three"]  # once, although two topics match
        assert all_events.data(3) == ["one", "two", "three"]


def test_the_stream_has_the_headers_of_an_event_stream(server: Server) -> None:
    with subscribed(server, "a") as events:
        headers = events.response.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "private, no-cache, no-store, must-revalidate, max-age=0"
        assert headers["X-Accel-Buffering"] == "no"
        assert "Last-Event-ID" not in headers
    head = ask(server, "HEAD", f"{HUB}?topic=a")
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, b"", "text/event-stream")


def test_an_empty_update_is_an_event(server: Server) -> None:
    with subscribed(server, "empty") as events:
        answer = publish(server, "empty")
        assert answer.text.startswith("urn:uuid:")
        assert [events.line(), events.line(), events.line()] == [f"id: {answer.text}", "data: ", ""]


@pytest.mark.parametrize(
    ("token", "topics", "status"),
    [
        (None, ["a"], 401),
        ("x" * 60, ["a"], 401),
        (subscriber("*"), ["a"], 401),
        (publisher("a", "b/{id}"), ["a"], 200),
        (publisher("a", "b/{id}"), ["a", "b/1"], 200),
        (publisher("a", "b/{id}"), ["a", "c"], 401),
        (publisher("a", exp=1), ["a"], 401),
        (publisher("a", nbf=9e9), ["a"], 401),
        (publisher("a", aud="any", iat=9e9, sub=5), ["a"], 200),
        (modern(PUBLISHER_KEY, {"actions": ["publish"], "topics": [{"match": "a"}]}), ["a"], 200),
        (modern(PUBLISHER_KEY, {"actions": ["publish"], "topics": [{"match": "a"}]}), ["a", "b"], 403),
        (modern(PUBLISHER_KEY, {"actions": ["subscribe"], "topics": [{"match": "a"}]}), ["a"], 403),
        (modern(PUBLISHER_KEY, {"actions": ["publish"], "topics": [{"match": "a"}]}, exp=None), ["a"], 401),
        (modern(PUBLISHER_KEY, {"actions": ["publish"], "topics": [{"match": "a"}]}, aud="other"), ["a"], 401),
        (modern(PUBLISHER_KEY, {"actions": ["publish"], "topics": [{"match": "a"}]}, iss="other"), ["a"], 401),
    ],
)
def test_a_publisher_needs_a_token_for_every_topic(
    server: Server, token: str | None, topics: list[str], status: int
) -> None:
    answer = publish(server, topics, "x", token)
    assert answer.status == status
    if status != 200:
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ")
        assert 'resource_metadata="/.well-known/oauth-protected-resource/.well-known/mercure"' in challenge
        assert ('error="insufficient_scope"' in challenge) == (status == 403)
        assert token is not None or "error" not in challenge


@pytest.mark.parametrize(
    ("topics", "fields", "status", "text"),
    [
        ([], {}, 400, 'Missing "topic" parameter'),
        (["a"], {"retry": "soon"}, 400, 'Invalid "retry" parameter'),
        (["a"], {"id": "a\nb"}, 400, 'Invalid "id" parameter'),
        (["a"], {"id": "#1"}, 400, 'Invalid "id" parameter'),
        (["a"], {"id": "earliest"}, 400, 'Invalid "id" parameter'),
        (["a"], {"type": "x\r\nid: 1"}, 400, 'Invalid "type" parameter'),
        (["a", f"{HUB}/subscriptions/x"], {}, 403, "reserved"),
        (["a"], {"data": "x" * (1 << 20)}, 413, "The body has more than 1024 KB"),
    ],
)
def test_an_update_that_is_not_valid_is_refused(
    server: Server, topics: list[str], fields: dict[str, str], status: int, text: str
) -> None:
    answer = publish(server, topics, token=publisher(), **fields)
    assert answer.status == status
    assert text in answer.text


def test_other_requests_are_refused(server: Server) -> None:
    token = {"Authorization": f"Bearer {publisher()}"}
    answer = ask(server, "POST", HUB, "{}", {**token, "Content-Type": "application/json"})
    assert (answer.status, answer.text) == (400, 'Missing "topic" parameter\n')
    assert ask(server, "PUT", HUB, "topic=a", token).status == 405
    assert ask(server, "DELETE", f"{HUB}/subscriptions").status == 405
    assert ask(server, "GET", HUB).status == 400
    assert ask(server, "GET", f"{HUB}?topic={'a&topic=' * 1000}a").status == 400
    assert ask(server, "GET", f"{HUB}?match_regexp=a").status == 400
    assert ask(server, "GET", f"{HUB}?match_urlpattern=(").status == 400
    assert ask(server, "GET", f"{HUB}/elsewhere").text == "http"  # the worker's


def test_a_publisher_with_a_cookie_comes_from_an_allowed_page(server: Server) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"mercureAuthorization={publisher()}"}
    for extra, status in (
        ({}, 401),
        ({"Origin": "https://evil.test"}, 401),
        ({"Origin": "null"}, 401),
        ({"Origin": "https://page.test"}, 200),
        ({"Referer": "https://page.test/form"}, 200),
    ):
        assert ask(server, "POST", HUB, "topic=a", {**headers, **extra}).status == status


def test_a_private_update_needs_a_token(server: Server) -> None:
    allowed = subscriber("private/{id}", "other")
    with (
        subscribed(server, "*", token=allowed) as events,
        subscribed(server, "*", token=subscriber("x")) as others,
        subscribed(server, "*") as anonymous,
    ):
        publish(server, "private/1", "secret 1", private="")  # an empty value counts
        # One topic is followed, another one is allowed.
        publish(server, ["a", "other"], "secret 2", private="on")
        publish(server, "a", "secret 3", private="on")
        publish(server, "a", "public")
        assert events.data(3) == ["secret 1", "secret 2", "public"]
        assert others.data(1) == ["public"]
        assert anonymous.data(1) == ["public"]


def test_places_of_a_token(server: Server) -> None:
    token = subscriber("hidden")
    places: list[tuple[str, dict[str, str]]] = [
        ("", {"Authorization": f"Bearer {token}"}),
        (f"authorization={token}", {}),
        ("", {"Cookie": f"mercureAuthorization={token}"}),
        ("", {"Cookie": f"__Secure-mercure_access_token={token}"}),
    ]
    for query, headers in places:
        with subscribed(server, "hidden", query=query, headers=headers) as events:
            publish(server, "hidden", "seen", private="on")
            assert events.data(1) == ["seen"]
    assert ask(server, "GET", f"{HUB}?topic=a&authorization={'x' * 60}").status == 401
    assert ask(server, "GET", f"{HUB}?topic=a", headers={"Authorization": "Bearer short"}).status == 401
    detail = {"actions": ["subscribe"], "topics": [{"match": "*"}]}
    assert ask(server, "GET", f"{HUB}?topic=a&authorization={modern(SUBSCRIBER_KEY, detail)}").status == 401


def test_a_bad_token_is_refused_although_none_would_do(server: Server) -> None:
    for token in (publisher("a"), subscriber("a", exp=1)):
        answer = ask(server, "GET", f"{HUB}?topic=a", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.text) == (401, "Unauthorized\n")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_matchers_of_1_0(server: Server) -> None:
    detail = {"actions": ["subscribe"], "topics": [{"match": "https://b.test/:id", "match_type": "urlpattern"}]}
    token = modern(SUBSCRIBER_KEY, detail)
    with subscribed(server, query="match=exact&match_urlpattern=https://b.test/:id", token=token) as events:
        publish(server, "https://b.test/1", "1", private="on")
        publish(server, "https://b.test/1/2", "2")
        publish(server, ["exact", "https://b.test/x"], "3", private="on")
        publish(server, "exact", "4", private="on")
        publish(server, "exact", "5")
        assert events.data(3) == ["1", "3", "5"]


def test_history(server: Server) -> None:
    publish(server, "h", "0", id="urn:h:0")
    publish(server, "h", "1", id="urn:h:1")
    publish(server, "h", "hidden", id="urn:h:hidden", private="on")
    publish(server, "elsewhere", "x")
    publish(server, "h", "2", id="urn:h:2")
    for query, headers in (
        ("lastEventID=urn:h:0", {}),
        ("Last-Event-ID=urn:h:0", {}),
        ("last_event_id=urn:h:0", {}),
        ("lastEventID=nonsense", {"Last-Event-ID": "urn:h:0"}),
    ):
        with subscribed(server, "h", query=query, headers=headers) as events:
            assert events.response.headers["Last-Event-ID"] == "urn:h:0"
            assert events.response.headers["Mercure-Last-Event-ID"] == "urn:h:0"
            assert events.data(2) == ["1", "2"]
            assert events.last_id == "urn:h:2"
    with subscribed(server, "h", query="last_event_id=urn:h:0", token=subscriber("h")) as events:
        assert events.data(3) == ["1", "hidden", "2"]
    with subscribed(server, "h", query="lastEventID=earliest") as events:
        assert events.response.headers["Last-Event-ID"] == "earliest"
        assert events.data(3) == ["0", "1", "2"]
        publish(server, "h", "live")
        assert events.data(1) == ["live"]
    with subscribed(server, "h", query="lastEventID=unknown") as events:
        assert events.response.headers["Last-Event-ID"] == "earliest"  # something may be missing
        publish(server, "h", "new")
        assert events.data(1) == ["new"]
    publish(server, "h", "again", id="urn:h:1")
    with subscribed(server, "h", query="lastEventID=urn:h:1") as events:
        assert events.data(4) == ["2", "live", "new", "again"]  # behind the first with the id


def test_nothing_is_missing_and_nothing_comes_twice_between_history_and_live(server: Server) -> None:
    count = 300
    publish(server, "flow", "start", id="urn:flow")
    done = threading.Event()

    def go_on() -> None:
        for number in range(count):
            publish(server, "flow", str(number))
        done.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        while not done.is_set():
            with subscribed(server, "flow", query="lastEventID=urn:flow") as events:
                assert events.data(20) == [str(number) for number in range(20)]
        with subscribed(server, "flow", query="lastEventID=urn:flow") as events:
            assert events.data(count) == [str(number) for number in range(count)]
    finally:
        thread.join()


def subscriptions_token(payload: Any = None) -> dict[str, str]:
    token = subscriber(f"{HUB}/subscriptions{{/topic}}{{/subscriber}}", payload=payload)
    return {"Authorization": f"Bearer {token}"}


def test_subscriptions_of_0_x(server: Server) -> None:
    watcher = f"{HUB}/subscriptions{{/topic}}{{/subscriber}}"
    with subscribed(server, watcher, headers=subscriptions_token()) as events:
        topic = "https://s.test/a b"
        with subscribed(server, topic, token=subscriber("x", payload={"user": 1})):
            event = events.next()
            assert event is not None
            document = json.loads(event["data"])
            path = document["id"]
            encoded = quote(topic, safe="")
            assert path.startswith(f"{HUB}/subscriptions/{encoded}/urn%3Auuid%3A")
            assert document == {
                "@context": "https://mercure.rocks/",
                "id": path,
                "type": "Subscription",
                "subscriber": unquote(path.rpartition("/")[2]),
                "topic": topic,
                "active": True,
                "payload": {"user": 1},
            }
            answer = ask(server, "GET", f"{HUB}/subscriptions/{encoded}", headers=subscriptions_token())
            assert answer.headers["Content-Type"] == "application/ld+json"
            listed = dict(document)
            del listed["@context"]
            assert answer.json == {
                "@context": "https://mercure.rocks/",
                "id": f"{HUB}/subscriptions/{encoded}",
                "type": "Subscriptions",
                "lastEventID": event["id"],
                "subscriptions": [listed],
            }
            assert answer.headers["ETag"] == event["id"]
            same = {**subscriptions_token(), "If-None-Match": event["id"]}
            assert ask(server, "GET", f"{HUB}/subscriptions/{encoded}", headers=same).status == 304
            assert ask(server, "GET", path, headers=subscriptions_token()).json == document
            every = ask(server, "GET", f"{HUB}/subscriptions", headers=subscriptions_token()).json
            assert listed in every["subscriptions"]
            assert len(every["subscriptions"]) == 2
        event = events.next()
        assert event is not None
        assert json.loads(event["data"]) == {**document, "active": False}
        assert ask(server, "GET", path, headers=subscriptions_token()).status == 404
    for headers in ({}, {"Authorization": f"Bearer {subscriber('x')}"}):
        assert ask(server, "GET", f"{HUB}/subscriptions", headers=headers).status == 401


def test_subscriptions_of_1_0(server: Server) -> None:
    matcher = {"match": f"{HUB}/subscriptions/*", "match_type": "urlpattern"}
    token = modern(
        SUBSCRIBER_KEY,
        {"actions": ["subscribe"], "topics": [matcher, {"match": f"{HUB}/subscriptions"}]},
        {"actions": ["subscribe"], "topics": [{"match": "*"}], "payload": {"user": 2}},
    )
    headers = {"Authorization": f"Bearer {token}"}
    query = f"match_urlpattern={HUB}/subscriptions/urlpattern/*"
    with (
        subscribed(server, query=query, headers=headers) as events,
        subscribed(server, query="match_urlpattern=/c/:id", token=token),
    ):
        event = events.next()  # of the other one: nobody sees the own
        assert event is not None
        assert event["event"] == "mercure"
        document = json.loads(event["data"])
        path = document["id"]
        assert path.startswith(f"{HUB}/subscriptions/urlpattern/%2Fc%2F%3Aid/urn%3Auuid%3A")
        assert document == {
            "id": path,
            "type": "subscription",
            "match_type": "urlpattern",
            "match": "/c/:id",
            "subscriber": unquote(path.rpartition("/")[2]),
            "active": True,
            "payload": {"user": 2},
        }
        answer = ask(server, "GET", f"{HUB}/subscriptions/urlpattern/%2Fc%2F%3Aid", headers=headers)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["ETag"] == f'"{event["id"]}"'
        assert f'rel="mercure"; last-event-id="{event["id"]}"' in answer.headers["Link"]
        assert answer.json == {
            "id": f"{HUB}/subscriptions/urlpattern/%2Fc%2F%3Aid",
            "type": "subscriptions",
            "subscriptions": [document],
        }
        assert ask(server, "GET", path, headers=headers).json == document
        assert document in ask(server, "GET", f"{HUB}/subscriptions", headers=headers).json["subscriptions"]
    other = {"Authorization": f"Bearer {modern(SUBSCRIBER_KEY)}"}
    assert ask(server, "GET", f"{HUB}/subscriptions", headers=other).status == 403


def test_the_metadata_of_the_hub(server: Server) -> None:
    answer = ask(server, "GET", f"/.well-known/oauth-protected-resource{HUB}")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "resource": "https://hub.test",
        "bearer_methods_supported": ["header"],
        "authorization_details_types_supported": ["https://mercure.rocks/authorization-detail"],
        "mercure_cookie": "__Secure-mercure_access_token",
        "mercure_subscriptions": True,
    }


def test_pages_of_other_hosts(server: Server) -> None:
    for origin, allowed in (("https://page.test", True), ("https://x.page.test", True), ("https://evil.test", False)):
        with subscribed(server, "a", headers={"Origin": origin}) as events:
            headers = events.response.headers
        preflight = ask(server, "OPTIONS", HUB, headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
        assert preflight.status == 204
        for found in (headers, preflight.headers):
            assert found["Vary"] == "Origin"
            assert found["Access-Control-Allow-Origin"] == (origin if allowed else None)
            assert found["Access-Control-Allow-Credentials"] == ("true" if allowed else None)
        assert ("Last-Event-ID" in preflight.headers.get("Access-Control-Allow-Headers", "")) is allowed


def test_workers_publish_over_rpc(server: Server) -> None:
    with RpcClient(server.rpc) as client, subscribed(server, "rpc/{id}", token=subscriber("*")) as events:
        request = {"topics": ["rpc/1"], "data": "é", "private": True, "id": "urn:rpc", "type": "t", "retry": 7}
        assert client.call("mercure.Publish", request) == {"id": "urn:rpc"}
        assert events.next() == {"data": "é", "id": "urn:rpc", "event": "t", "retry": "7"}
        assert client.call("mercure.Publish", {"topics": ["rpc/2"]})["id"].startswith("urn:uuid:")
        assert client.call("mercure.Count", True)["subscribers"] == 1
        with pytest.raises(CallFailed, match="Missing"):
            client.call("mercure.Publish", {"topics": []})
        with pytest.raises(CallFailed, match="reserved"):
            client.call("mercure.Publish", {"topics": [HUB]})


def test_nothing_secret_is_logged(server: Server) -> None:
    token = subscriber("a", note="find me")
    with subscribed(server, "logged", query=f"authorization={token}&last_event_id=x"):
        pass
    publish(server, "logged", token=publisher("nothing"))
    ask(server, "GET", f"/page?Authorization={token}&auth_signature=5e1f")
    server.wait_for("Authorization=")
    assert "topic=logged" in server.stderr + server.stdout
    for output in (server.stdout, server.stderr):
        assert token not in output
        assert token.rpartition(".")[2] not in output
        assert "5e1f" not in output
        assert PUBLISHER_KEY not in output
