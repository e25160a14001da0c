"""Frames, updates, tokens, credentials, origins, queries and documents."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest

from pyroadrunner.plugins.mercure import documents
from pyroadrunner.plugins.mercure.config import JwtConfig, MercureConfig
from pyroadrunner.plugins.mercure.credentials import find, from_allowed_page
from pyroadrunner.plugins.mercure.errors import BadKey, BadToken, BadUpdate
from pyroadrunner.plugins.mercure.grants import DETAIL
from pyroadrunner.plugins.mercure.ids import new_id, new_subscriber
from pyroadrunner.plugins.mercure.keys import KeySet, StaticKey
from pyroadrunner.plugins.mercure.origins import Origins
from pyroadrunner.plugins.mercure.publication import Rules, retry_of
from pyroadrunner.plugins.mercure.request import BadRequest, last_id_of, read_query, selectors_of
from pyroadrunner.plugins.mercure.selectors import Matcher, Selector
from pyroadrunner.plugins.mercure.stores.contract import Subscription
from pyroadrunner.plugins.mercure.tokens import Verifier
from pyroadrunner.plugins.mercure.update import event

HUB = "/.well-known/mercure"
KEY = "a secret of this test that is long enough for HS256, HS384 and HS512"
MATCHER = Matcher(f"https://hub.test{HUB}")


# -- frames ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "fields", "frame"),
    [
        ("a", {"identity": "1"}, "id: 1\ndata: a\n\n"),
        ("", {"identity": "1"}, "id: 1\ndata: \n\n"),
        ("a\nb\rc\r\nd", {"identity": "1"}, "id: 1\ndata: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("a\n", {"identity": "1"}, "id: 1\ndata: a\ndata: \n\n"),
        ("é\u2028", {"identity": "1", "kind": "t", "retry": 5}, "event: t\nretry: 5\nid: 1\ndata: é\u2028\n\n"),
    ],
)
def test_frames(data: str, fields: dict[str, Any], frame: str) -> None:
    assert event(data, **fields).decode() == frame


def test_ids_are_uuids() -> None:
    assert new_id()[:9] == "urn:uuid:"
    assert (new_id()[23], new_subscriber()[23]) == ("7", "4")
    assert len({new_id() for _ in range(100)}) == 100


# -- updates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topics", "identity", "kind", "modern", "status"),
    [
        (["a"], "", "", False, 0),
        (["a"], "urn:x", "news", True, 0),
        ([], "", "", False, 400),
        ([""], "", "", False, 400),
        (["a"] * 4, "", "", False, 400),
        (["a"] * 4, "", "", True, 413),
        (["a\nb"], "", "", False, 400),
        (["x" * 5000], "", "", False, 400),
        (["*"], "", "", False, 0),
        (["*"], "", "", True, 400),
        ([f"{HUB}/subscriptions/a/b"], "", "", False, 403),
        (["a", f"https://hub.test{HUB}"], "", "", True, 400),
        (["/.well-known/%6Dercure/x"], "", "", False, 403),
        (["https://any.test/x/../.well-known/mercure/y"], "", "", False, 403),
        (["/.well-known/mercurex"], "", "", False, 403),
        (["a"], "#1", "", False, 400),
        (["a"], "earliest", "", False, 400),
        (["a"], "x\ny", "", False, 400),
        (["a"], "x\u200b", "", False, 400),
        (["a"], "x\x00", "", False, 400),
        (["a"], "", "x\r\ndata: forged", False, 400),
        (["a"], "", "mercure", False, 0),
        (["a"], "", "mercure", True, 400),
    ],
)
def test_updates_are_checked(topics: list[str], identity: str, kind: str, modern: bool, status: int) -> None:
    rules = Rules(HUB, 3)
    if not status:
        rules.check(topics, identity, kind, modern=modern)
        return
    with pytest.raises(BadUpdate) as found:
        rules.check(topics, identity, kind, modern=modern)
    assert found.value.status == status


def test_a_form_is_read() -> None:
    rules = Rules(HUB, 3)
    form = b"topic=a&topic=b&data=x%0Ay&private=&id=1&type=t&retry=5&unknown=1"
    assert rules.read_form(form) == (["a", "b"], "x\ny", True, "1", "t", "5")
    assert rules.read_form(b"topic=a") == (["a"], "", False, "", "", "")
    for form, status in ((b"topic=\xff", 400), (b"topic=%ff", 400), (b"a=1&" * 200, 413)):
        with pytest.raises(BadUpdate) as found:
            rules.read_form(form)
        assert found.value.status == status


def test_a_retry_is_a_number() -> None:
    assert (retry_of(""), retry_of("0"), retry_of("1500")) == (0, 0, 1500)
    for text in ("-1", "1.5", "x", "٣", " 1", "9" * 30):
        with pytest.raises(BadUpdate):
            retry_of(text)


# -- tokens ----------------------------------------------------------------------------------------------------------


def verifier(now: float = 1000.0, key: str = KEY, algorithm: str = "HS256") -> Verifier:
    keys = StaticKey(key, algorithm, "publisher_jwt")
    return Verifier(keys, MATCHER, "https://issuer.test", "https://hub.test", lambda: now)


def modern(**claims: Any) -> str:
    given = {
        "iss": "https://issuer.test",
        "aud": "https://hub.test",
        "exp": 2000,
        "authorization_details": [
            {"type": "other", "actions": 5},
            {"type": DETAIL, "actions": ["publish", "unknown"], "topics": [{"match": "a"}]},
            {
                "type": DETAIL,
                "actions": ["subscribe"],
                "topics": [{"match": "https://a.test/:id", "match_type": "urlpattern"}],
                "payload": {"n": 1},
            },
        ],
        **claims,
    }
    return jwt.encode(
        {name: value for name, value in given.items() if value is not None}, KEY, headers={"typ": "at+jwt"}
    )


def test_a_token_of_0_x() -> None:
    claim = {"publish": ["*"], "subscribe": ["a", "b/{id}"], "payload": {"user": 1}}
    for name in ("mercure", "https://mercure.rocks/"):
        token = jwt.encode({name: claim, "aud": "any", "iat": 5e9, "sub": 5, "iss": "any"}, KEY)
        for _ in range(3):
            grant = verifier().verify(token)
        assert grant.publish == (Selector("topic", "*"),)
        assert grant.subscribe == (Selector("topic", "a"), Selector("topic", "b/{id}"))
        assert grant.payload(MATCHER, Selector("topic", "z")) == {"user": 1}
        assert not grant.modern
    assert verifier().verify(jwt.encode({"sub": "x"}, KEY)).publish == ()


def test_a_token_of_1_0() -> None:
    grant = verifier().verify(modern())
    assert grant.modern
    assert grant.publish == (Selector("exact", "a"),)
    assert grant.subscribe == (Selector("urlpattern", "https://a.test/:id"),)
    assert grant.payload(MATCHER, Selector("urlpattern", "https://a.test/:id")) == {"n": 1}
    assert grant.payload(MATCHER, Selector("exact", "https://a.test/5")) == {"n": 1}
    assert grant.payload(MATCHER, Selector("exact", "b")) is None
    assert verifier().verify(modern(aud=["x", "https://hub.test"])).modern


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"iss": None},
        {"iss": "https://other.test"},
        {"aud": "https://other.test"},
        {"aud": None},
        {"authorization_details": {}},
        {"authorization_details": [{"type": DETAIL, "topics": [{"match": "a"}]}]},
        {"authorization_details": [{"type": DETAIL, "actions": [1], "topics": [{"match": "a"}]}]},
        {"authorization_details": [{"type": DETAIL, "actions": ["publish"], "topics": []}]},
        {"authorization_details": [{"type": DETAIL, "actions": ["publish"], "topics": ["a"]}]},
        {
            "authorization_details": [
                {"type": DETAIL, "actions": ["publish"], "topics": [{"match": "a", "match_type": "x"}]}
            ]
        },
        {
            "authorization_details": [
                {"type": DETAIL, "actions": ["publish"], "topics": [{"match": "(", "match_type": "urlpattern"}]}
            ]
        },
        {
            "authorization_details": [
                {"type": DETAIL, "actions": ["subscribe"], "topics": [{"match": "a"}], "payload": 5}
            ]
        },
    ],
)
def test_invalid_tokens_of_1_0(claims: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        verifier().verify(modern(**claims))


def test_the_times_of_a_token_hold_each_time() -> None:
    now = 1000.0
    keys = StaticKey(KEY, "HS256", "publisher_jwt")
    tokens = Verifier(keys, MATCHER, "", "", lambda: now)
    token = jwt.encode({"mercure": {}, "nbf": 900, "exp": 1100}, KEY)
    for _ in range(3):
        tokens.verify(token)
    now = 1100.0
    with pytest.raises(BadToken):
        tokens.verify(token)
    now = 899.0
    with pytest.raises(BadToken):
        tokens.verify(token)


def test_invalid_tokens() -> None:
    for token in (
        "",
        "a.b.c",
        "x" * 20_000,
        jwt.encode({"mercure": {}}, "another secret that is long enough"),
        jwt.encode({"mercure": {}}, KEY, algorithm="HS512"),
        jwt.encode({"mercure": {}}, None, algorithm="none"),
        jwt.encode({"mercure": []}, KEY),
        jwt.encode({"mercure": {"publish": "a"}}, KEY),
        jwt.encode({"mercure": {"publish": [1]}}, KEY),
        jwt.encode({"mercure": {"publish": ["a"] * 1001}}, KEY),
        jwt.encode({"mercure": {}, "exp": 999}, KEY),
        jwt.encode({"mercure": {}, "nbf": 1001}, KEY),
    ):
        for _ in range(3):
            with pytest.raises(BadToken) as found:
                verifier().verify(token)
            assert not token or token not in str(found.value)
    with pytest.raises(BadToken):
        Verifier(None, MATCHER, "", "").verify(jwt.encode({"mercure": {}}, KEY))


def test_public_keys(tmp_path: Any) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    private = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public = private.public_key().public_bytes(encoding, form).decode()
    token = jwt.encode({"mercure": {"publish": ["*"]}}, private, algorithm="ES256")
    assert verifier(key=public, algorithm="ES256").verify(token).publish
    # The key is public: a token that is signed with it as a secret must not pass.
    forged = jwt.api_jws.PyJWS().encode(b'{"mercure":{"publish":["*"]}}', KEY.encode(), algorithm="HS256")
    with pytest.raises(BadToken):
        verifier(key=public, algorithm="ES256").verify(forged)
    with pytest.raises(BadKey) as found:
        StaticKey("not a key, but a secret", "ES256", "publisher_jwt")
    assert "secret" not in str(found.value)

    other = ed25519.Ed25519PrivateKey.generate()
    one = {**jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": "1", "alg": "ES256"}
    two = {**jwt.algorithms.OKPAlgorithm.to_jwk(other.public_key(), as_dict=True), "kid": "2"}
    file = tmp_path / "keys.json"

    async def scene() -> None:
        import json

        file.write_text(json.dumps({"keys": [one]}))
        keys = KeySet(file.as_uri(), "publisher_jwks_url")
        tokens = Verifier(keys, MATCHER, "", "")
        await keys.start()
        first = jwt.encode({"mercure": {"publish": ["*"]}}, private, algorithm="ES256", headers={"kid": "1"})
        second = jwt.encode({"mercure": {"publish": ["*"]}}, other, algorithm="EdDSA", headers={"kid": "2"})
        wrong = jwt.encode({"mercure": {"publish": ["*"]}}, other, algorithm="EdDSA", headers={"kid": "1"})
        assert tokens.verify(first).publish
        assert tokens.verify(token).publish  # without a kid
        for bad in (second, wrong):
            with pytest.raises(BadToken):
                tokens.verify(bad)
        file.write_text(json.dumps({"keys": [two]}))
        await keys._refresh(fatal=False)
        assert tokens.verify(second).publish
        with pytest.raises(BadToken):
            tokens.verify(first)
        file.write_text("nonsense")
        await keys._refresh(fatal=False)
        assert tokens.verify(second).publish  # the old keys stay
        keys.stop()
        with pytest.raises(BadKey):
            await KeySet(file.as_uri(), "publisher_jwks_url").start()

    asyncio.run(scene())


# -- credentials -----------------------------------------------------------------------------------------------------

TOKEN = "t" * 41


@pytest.mark.parametrize(
    ("headers", "query", "token"),
    [
        ([], [], None),
        ([(b"authorization", b"Bearer " + TOKEN.encode())], [("authorization", "q" * 41)], TOKEN),
        ([(b"authorization", b"bearer  " + TOKEN.encode())], [], TOKEN),
        ([(b"cookie", b"a=b; mercureAuthorization=c" + TOKEN.encode())], [("authorization", TOKEN)], TOKEN),
        ([(b"cookie", b"a=b; mercureAuthorization=" + TOKEN.encode())], [], TOKEN),
        ([(b"cookie", b"x=y"), (b"cookie", b"__Secure-mercure_access_token=" + TOKEN.encode())], [], TOKEN),
    ],
)
def test_where_a_token_is(headers: list[tuple[bytes, bytes]], query: list[tuple[str, str]], token: str | None) -> None:
    found = find(headers, query, "mercureAuthorization")
    assert (found.token if found else None) == token
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([(b"authorization", b"Basic " + TOKEN.encode())], []),
        ([(b"authorization", b"Bearer short")], []),
        ([(b"authorization", b"Bearer " + TOKEN.encode())] * 2, []),
        ([], [("authorization", "short")]),
        ([], [("authorization", TOKEN)] * 2),
    ],
)
def test_what_is_no_token(headers: list[tuple[bytes, bytes]], query: list[tuple[str, str]]) -> None:
    with pytest.raises(BadToken):
        find(headers, query, "mercureAuthorization")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        (b"origin", b"https://a.test", True),
        (b"origin", b"https://A.test", True),
        (b"origin", b"http://a.test", False),
        (b"origin", b"https://a.test.evil", False),
        (b"origin", b"https://a.test:8443", False),
        (b"origin", b"https://x.b.test", True),
        (b"origin", b"https://evil/x.b.test", False),
        (b"origin", b"null", False),
        (b"referer", b"https://a.test/page?x=1", True),
        (b"referer", b"https://evil.test/https://a.test/", False),
        (b"x-other", b"https://a.test", False),
    ],
)
def test_pages_that_may_publish(name: bytes, value: bytes, allowed: bool) -> None:
    assert from_allowed_page([(name, value)], Origins(["https://a.test", "https://*.b.test"])) is allowed


# -- requests --------------------------------------------------------------------------------------------------------


def test_what_a_subscriber_follows() -> None:
    query = read_query(b"topic=a%2Fb&topic=c&match=d&match_exact=e&match_urlpattern=/f/:g&topic=c&x=1", 10)
    assert selectors_of(query, MATCHER, 10) == [
        Selector("topic", "a/b"),
        Selector("topic", "c"),
        Selector("exact", "d"),
        Selector("exact", "e"),
        Selector("urlpattern", "/f/:g"),
    ]


@pytest.mark.parametrize(
    "query",
    [b"", b"x=1", b"match_regexp=a", b"Match=a", b"matching=a", b"match=a%00", b"match_urlpattern=(", b"topic=a&" * 4],
)
def test_invalid_requests(query: bytes) -> None:
    with pytest.raises(BadRequest):
        selectors_of(read_query(query, 10), MATCHER, 3)


def test_spellings_of_the_last_id() -> None:
    for name in ("lastEventID", "Last-Event-ID", "last_event_id"):
        assert last_id_of([(name, "1")], []) == "1"
        assert last_id_of([(name, "1")], [(b"last-event-id", "é".encode())]) == "é"
    assert last_id_of([("lastEventID", ""), ("Last-Event-ID", "2")], [(b"last-event-id", b"")]) == "2"
    assert last_id_of([("lasteventid", "1")], []) == ""


# -- documents -------------------------------------------------------------------------------------------------------


def test_documents_of_subscriptions() -> None:
    one = Subscription(id="/h/1", subscriber="urn:s", kind="topic", text="a/b", payload={"x": 1})
    two = Subscription(id="/h/2", subscriber="urn:s", kind="urlpattern", text="/:id")
    assert documents.describe(one, active=True) == {
        "@context": "https://mercure.rocks/",
        "id": "/h/1",
        "type": "Subscription",
        "subscriber": "urn:s",
        "topic": "a/b",
        "active": True,
        "payload": {"x": 1},
    }
    assert documents.describe(two, active=False) == {
        "id": "/h/2",
        "type": "subscription",
        "match_type": "urlpattern",
        "match": "/:id",
        "subscriber": "urn:s",
        "active": False,
    }
    assert documents.path_of("/h", Selector("topic", "a/b%"), "urn:s") == "/h/subscriptions/a%2Fb%25/urn%3As"
    assert documents.path_of("/h", Selector("exact", "a"), "urn:s") == "/h/subscriptions/exact/a/urn%3As"
    for rest, found in (
        ("", [one, two]),
        ("/a%2Fb", [one]),
        ("/a%2Fb/urn%3As", [one]),
        ("/a%2Fb/urn%3Ax", []),
        ("/%2F%3Aid", []),
        ("/urlpattern/%2F%3Aid", [two]),
        ("/urlpattern/%2F%3Aid/urn%3As", [two]),
        ("/exact/%2F%3Aid", []),
    ):
        wanted = documents.Wanted(rest)
        assert wanted.valid
        assert [each for each in (one, two) if wanted.has(each)] == found
    assert not documents.Wanted("/a/b/c").valid
    assert not documents.Wanted("//b").valid


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "faults"),
    [
        (MercureConfig(anonymous=True), []),
        (MercureConfig(), ["subscriber_jwt"]),
        (MercureConfig(anonymous=True, path="hub"), ["path"]),
        (MercureConfig(anonymous=True, path="/hub/"), ["path"]),
        (MercureConfig(anonymous=True, publisher_jwks_url="ftp://x"), ["publisher_jwks_url"]),
        (MercureConfig(subscriber_jwks_url="https://x", subscriber_jwt=JwtConfig(key=KEY)), ["subscriber_jwks_url"]),
        (MercureConfig(anonymous=True, cors_origins=["*", "a.test"]), ["cors_origins.1"]),
        (MercureConfig(anonymous=True, public_url="hub"), ["public_url"]),
    ],
)
def test_faults_of_the_config(config: MercureConfig, faults: list[str]) -> None:
    assert [key for key, _ in config.faults()] == faults


def test_weak_keys_are_doubtful() -> None:
    config = MercureConfig(
        publisher_jwt=JwtConfig(key="!ChangeThisMercureHubJWTSecretKey!"), subscriber_jwt=JwtConfig(key="short")
    )
    assert [key for key, _ in config.doubtful()] == ["publisher_jwt.key", "subscriber_jwt.key"]
