"""The application between a fake client and a fake pool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.asgi import ATTRIBUTES
from pyroadrunner.plugins.http.body.reader import BodyLimits
from pyroadrunner.plugins.http.config import FormsConfig, HttpConfig, UploadsConfig
from pyroadrunner.proto.http.v1.http_pb2 import HeaderValue, Request, Response
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.errors import NoFreeWorker, QueueFull, WorkerFailed
from pyroadrunner.workers.payload import Codec
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, streamed, worker_app
from support.log import logged

FORM = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = {"content-type": "multipart/form-data; boundary=XbX"}
PLAIN = {"content-type": "text/plain", "transfer-encoding": "chunked"}
FILE = (
    b'--XbX\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nhello\r\n'
    b'--XbX\r\nContent-Disposition: form-data; name="t"\r\n\r\nv\r\n--XbX--\r\n'
)


def post(headers: dict[str, str], target: str = "/", method: str = "POST") -> Any:
    return http_scope(method, target, headers)


def test_a_get_goes_to_the_worker_without_reading_the_body() -> None:
    pool = ScriptedPool(reply(head(201, content_type="text/plain"), b"hello"))
    exchange = Exchange(http_scope("GET", "/a?b=1")).run(worker_app(pool))
    assert (exchange.status, exchange.body, exchange.ended) == (201, b"hello", True)
    assert exchange.headers == [("content-type", "text/plain"), ("content-length", "5")]
    assert exchange.received == 0
    assert pool.context["uri"] == "http://ex.com/a?b=1"
    assert (pool.asked[0].body, pool.asked[0].codec) == (b"", Codec.JSON)
    assert pool.labels == ["GET /a"]


@pytest.mark.parametrize(
    ("method", "headers", "pieces", "body", "parsed"),
    [
        ("POST", PLAIN, [b"ab", b"cd"], b"abcd", False),
        ("POST", FORM, [b"a=1&b[]", b"=2"], b'{"a":"1","b":["2"]}', True),
        ("DELETE", FORM, [b"a=1"], b'{"a":"1"}', True),
        ("POST", FORM, [b""], b"{}", True),
        ("HEAD", FORM, [b"a=1"], b"", False),
        ("OPTIONS", PLAIN, [b"a"], b"", False),
    ],
)
def test_bodies_by_kind(method: str, headers: dict[str, str], pieces: list[bytes], body: bytes, parsed: bool) -> None:
    pool = ScriptedPool()
    Exchange(post(headers, method=method), pieces).run(worker_app(pool))
    assert pool.asked[0].body == body
    assert pool.context["parsed"] is parsed
    assert pool.context["uploads"] is None


def test_raw_body_passes_forms_and_uploads_unchanged() -> None:
    for headers, body in ((FORM, b"a=1"), (MULTIPART, FILE)):
        pool = ScriptedPool()
        Exchange(post(headers), [body]).run(worker_app(pool, HttpConfig(raw_body=True)))
        assert pool.asked[0].body == body
        assert (pool.context["parsed"], pool.context["uploads"]) == (False, None)


class LookingPool(ScriptedPool):
    """Reads the uploaded file while the request runs."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__(answer)
        self.found: bytes | None = None

    async def exec(self, payload: Any, **options: Any) -> Any:
        self.found = Path(json.loads(payload.context)["uploads"]["f"]["tmpName"]).read_bytes()
        return await super().exec(payload, **options)


def upload_config(folder: Path) -> HttpConfig:
    return HttpConfig(uploads=UploadsConfig(dir=str(folder)))


@pytest.mark.parametrize(
    "answer",
    [None, WorkerFailed("boom", 1), streamed((head(), b"a"), WorkerFailed("boom", 1)), asyncio.CancelledError()],
)
def test_an_uploaded_file_exists_for_the_worker_and_is_removed_afterwards(tmp_path: Path, answer: Any) -> None:
    pool = LookingPool(answer)
    exchange = Exchange(post(MULTIPART), [FILE[:70], FILE[70:]])
    if isinstance(answer, asyncio.CancelledError):
        pool.answer = answer  # as if the server cancels the request

        async def cancelled(payload: Any, **options: Any) -> Any:
            await LookingPool.exec(pool, payload, **options)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.Event().wait()

        pool.exec = cancelled
        with pytest.raises(asyncio.CancelledError):
            exchange.run(worker_app(pool, upload_config(tmp_path)))
    else:
        exchange.run(worker_app(pool, upload_config(tmp_path)))
    assert pool.found == b"hello"
    assert pool.asked[0].body == b'{"t":"v"}'
    assert pool.context["uploads"]["f"]["size"] == 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pieces", [[FILE[:70]], [FILE[:90]], [b""]])
def test_a_client_that_disconnects_during_its_upload_needs_no_worker_and_leaves_no_file(
    tmp_path: Path, pieces: list[bytes]
) -> None:
    pool = ScriptedPool()
    exchange = Exchange(post(MULTIPART), pieces, gone=True).run(worker_app(pool, upload_config(tmp_path)))
    assert pool.asked == []
    assert exchange.messages == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        (FORM, b"a=1&a[b]=2", "invalid multiple values to key 'a' in tree"),
        (MULTIPART, FILE[:-4], "unexpected EOF"),
        ({"content-type": "multipart/form-data"}, b"x", "no multipart boundary param in Content-Type"),
        (
            MULTIPART,
            FILE.replace(b'"t"', b'"f[x]"').replace(b'name="f[x]"', b'name="f[x]"; filename="b"'),
            "invalid multiple values to key 'f' in tree",
        ),
    ],
)
def test_an_unreadable_form_is_500_with_an_error_message_and_leaves_no_file(
    tmp_path: Path, headers: dict[str, str], body: bytes, text: str
) -> None:
    pool = ScriptedPool()
    with logged("http") as log:
        exchange = Exchange(post(headers), [body]).run(worker_app(pool, upload_config(tmp_path)))
    assert (exchange.status, exchange.body) == (500, f"serve_http: {text}\n".encode())
    assert ("x-content-type-options", "nosniff") in exchange.headers
    assert pool.asked == []
    assert log.of("request forming error")[0]["error"] == text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("headers", [PLAIN, FORM, MULTIPART])
def test_a_body_over_the_limit_is_413_while_it_arrives(headers: dict[str, str]) -> None:
    pool = ScriptedPool()
    exchange = Exchange(post(headers), [FILE, FILE]).run(worker_app(pool, limits=BodyLimits(max_body=200)))
    assert (exchange.status, exchange.body) == (413, b"serve_http: http: request body too large\n")
    assert pool.asked == []


def test_an_announced_length_over_the_limit_is_413_immediately() -> None:
    config = HttpConfig(max_request_size=1)
    exchange = Exchange(post({"content-length": str((1 << 20) + 1)})).run(worker_app(ScriptedPool(), config))
    assert (exchange.status, exchange.received) == (413, 0)
    assert (
        Exchange(post({"content-length": str(1 << 20)}), [b"x"]).run(worker_app(ScriptedPool(), config)).status == 200
    )


MANY = [b"a[b]=1&a[c]=2&", b"d=3"]
MB = 1 << 20
UPLOAD = FILE.partition(b'--XbX\r\nContent-Disposition: form-data; name="t"')[0]
PARTS = b'--XbX\r\nContent-Disposition: form-data; name="a[b][c]"\r\n\r\nv\r\n'


@pytest.mark.parametrize(
    ("forms", "headers", "body", "status", "text"),
    [
        ({"max_fields": 2}, FORM, MANY, 413, "the form has more than 2 fields (http.forms.max_fields)"),
        ({"max_depth": 1}, FORM, MANY, 400, "a field's name is more than 1 levels deep (http.forms.max_depth)"),
        ({"max_fields": 1}, MULTIPART, [PARTS], 413, "the form has more than 1 fields (http.forms.max_fields)"),
        ({"max_depth": 2}, MULTIPART, [PARTS], 400, "a field's name is more than 2 levels deep (http.forms.max_depth)"),
        ({"max_files": 1}, MULTIPART, [UPLOAD, UPLOAD], 413, "the form has more than 1 files (http.forms.max_files)"),
        ({"max_size": 1}, FORM, [b"x" * MB, b"x"], 413, "the form has more than 1 MB of fields (http.forms.max_size)"),
    ],
)  # fmt: skip
def test_a_form_beyond_a_limit_is_refused_with_the_key_of_the_limit(
    forms: dict[str, int], headers: dict[str, str], body: list[bytes], status: int, text: str
) -> None:
    pool = ScriptedPool()
    whole = [*body, b"--XbX--\r\n"] if headers is MULTIPART else body
    with logged("http") as log:
        exchange = Exchange(post(headers), whole).run(worker_app(pool, HttpConfig(forms=FormsConfig(**forms))))
    assert (exchange.status, exchange.body) == (status, f"serve_http: http: {text}\n".encode())
    assert log.of("request forming error")[0]["error"] == f"http: {text}"
    assert pool.asked == []


def test_an_announced_form_over_its_limit_is_refused_before_it_is_read() -> None:
    config = HttpConfig(forms=FormsConfig(max_size=1))
    length = {"content-length": str((1 << 20) + 1)}
    exchange = Exchange(post({**FORM, **length})).run(worker_app(ScriptedPool(), config))
    assert (exchange.status, exchange.received) == (413, 0)
    assert Exchange(post(length), [b"x"]).run(worker_app(ScriptedPool(), config)).status == 200


def test_the_limits_of_forms_apply_only_if_forms_are_parsed() -> None:
    config = HttpConfig(raw_body=True, forms=FormsConfig(max_fields=1, max_size=1))
    body = b"a=1&b=2&" + b"x" * (2 << 20)
    pool = ScriptedPool()
    assert (
        Exchange(post({**FORM, "content-length": str(len(body))}), [body]).run(worker_app(pool, config)).status == 200
    )
    assert pool.asked[0].body == body


def test_the_default_limit_is_1000_megabytes() -> None:
    app = worker_app(ScriptedPool(), HttpConfig(max_request_size=0))
    assert Exchange(post({"content-length": str(1000 << 20)}), [b"x"]).run(app).status == 200
    assert Exchange(post({"content-length": str((1000 << 20) + 1)}), [b"x"]).run(app).status == 413


@pytest.mark.parametrize(
    ("config", "error", "status", "body"),
    [
        (HttpConfig(), WorkerFailed("boom", 1), 500, b""),
        (HttpConfig(internal_error_code=0), WorkerFailed("boom", 1), 500, b""),
        (HttpConfig(internal_error_code=103), WorkerFailed("boom", 1), 500, b""),
        (HttpConfig(internal_error_code=502), WorkerFailed("boom", 1), 502, b""),
        (HttpConfig(), QueueFull("http", 1), 503, b""),
        (HttpConfig(overload_code=500), NoFreeWorker("http", 1.0), 500, b""),
        (
            HttpConfig(pool=PoolConfig(debug=True)),
            WorkerFailed("boom", 1),
            500,
            b"sync_worker_receive_frame: SoftJobError: boom\n",
        ),
    ],
)
def test_failures_of_the_pool_follow_the_config(config: HttpConfig, error: Exception, status: int, body: bytes) -> None:
    exchange = Exchange(http_scope()).run(worker_app(ScriptedPool(error), config))
    assert (exchange.status, exchange.body, exchange.ended) == (status, body, True)
    assert ("content-length", str(len(body))) in exchange.headers


def test_a_failed_request_is_an_error_line_and_an_overload_a_warning() -> None:
    with logged("http") as log:
        Exchange(http_scope()).run(worker_app(ScriptedPool(WorkerFailed("boom", 1))))
        Exchange(http_scope()).run(worker_app(ScriptedPool(QueueFull("http", 1))))
    assert [(level, text) for level, text, _ in log.lines] == [
        ("ERROR", "execute"),
        ("WARNING", "execute: requests are refused"),
    ]


@pytest.mark.parametrize("context", [b"{not json", b"[]"])
def test_a_malformed_head_is_a_failure(context: bytes) -> None:
    with logged("http") as log:
        exchange = Exchange(http_scope()).run(worker_app(ScriptedPool(reply(context, b"x")), HttpConfig()))
    assert (exchange.status, exchange.body) == (500, b"")
    assert "can't be read" in log.of("execute")[0]["error"]


def test_a_reply_without_a_head_is_200() -> None:
    assert Exchange(http_scope()).run(worker_app(ScriptedPool(reply(b"", b"x")))).status == 200


def test_each_log_line_about_a_request_names_the_request() -> None:
    short = b'{"status":200,"headers":{"Content-Length":["9"]}}'
    with logged("http") as log:
        for answer in (
            WorkerFailed("boom", 1),
            streamed((head(), b"a"), WorkerFailed("boom", 1)),
            streamed((short, b"a"), (b"", b"b")),
            reply(b"{not json", b""),
            reply(head(204), b"x"),
        ):
            Exchange(http_scope()).run(worker_app(ScriptedPool(answer)))
    assert log.messages[:4] == ["execute", "read stream", "write response (chunk) error", "execute"]
    assert len(log.lines) == 5
    for _, _, fields in log.lines:
        assert fields.items() >= {"method": "GET", "pool": "http"}.items()
        assert fields["path"].startswith("/")


def test_a_head_request_gets_the_head() -> None:
    exchange = Exchange(http_scope("HEAD")).run(worker_app(ScriptedPool(reply(head(), b"hello"))))
    assert (exchange.body, exchange.headers) == (b"", [("content-length", "5")])


def test_a_body_that_is_not_allowed_is_dropped_and_logged() -> None:
    with logged("http") as log:
        exchange = Exchange(http_scope()).run(worker_app(ScriptedPool(reply(head(204), b"x"))))
    assert (exchange.status, exchange.body, exchange.headers) == (204, b"", [])
    assert len(log.lines) == 1


def test_trailers_are_sent_to_a_client_that_accepts_them() -> None:
    pool = ScriptedPool(reply(b'{"status":200,"headers":{"Trailer":["X-T"],"X-T":["1"]}}', b"x"))
    exchange = Exchange(http_scope(extensions=["http.response.trailers"])).run(worker_app(pool))
    assert exchange.messages[-1] == {"type": "http.response.trailers", "headers": [(b"x-t", b"1")]}
    assert Exchange(http_scope()).run(worker_app(pool)).headers == [("x-t", "1"), ("content-length", "1")]


def test_a_stream_is_forwarded_and_an_interrupted_one_is_left_incomplete() -> None:
    good = Exchange(http_scope()).run(worker_app(ScriptedPool(streamed((head(), b"a"), (b"", b"b")))))
    assert (good.body, good.ended) == (b"ab", True)
    with logged("http") as log:
        broken = Exchange(http_scope()).run(worker_app(ScriptedPool(streamed((head(), b"a"), WorkerFailed("boom", 1)))))
    assert (broken.body, broken.ended) == (b"a", False)
    assert log.messages == ["read stream"]


@pytest.mark.parametrize("extensions", [[], ["http.response.informational"]])
def test_interim_responses_are_sent_if_the_server_can(extensions: list[str]) -> None:
    frames = streamed((head(103, link="</a>"), b""), (head(404), b"no"), (b"", b""))
    exchange = Exchange(http_scope(extensions=extensions)).run(worker_app(ScriptedPool(frames)))
    kinds = [message["type"] for message in exchange.messages]
    assert kinds[: len(extensions)] == extensions
    start = exchange.messages[len(extensions)]
    assert (start["status"], start["headers"]) == (404, [(b"link", b"</a>")])


def test_a_stream_that_fails_before_its_head_is_a_failure() -> None:
    exchange = Exchange(http_scope()).run(
        worker_app(
            ScriptedPool(streamed((head(103), b""), WorkerFailed("boom", 1))), HttpConfig(internal_error_code=502)
        )
    )
    assert (exchange.status, exchange.ended) == (502, True)


def test_a_disconnected_client_gives_a_log_line_and_no_traceback() -> None:
    class Gone(Exchange):
        async def send(self, message: Any) -> None:
            raise OSError("gone")

    with logged("http") as log:
        Gone(http_scope()).run(worker_app(ScriptedPool()))
        Gone(http_scope()).run(worker_app(ScriptedPool(streamed((head(), b"a"), (b"", b"b")))))
        Gone(http_scope()).run(worker_app(ScriptedPool(WorkerFailed("boom", 1))))
    assert log.messages == ["write response error", "write response (chunk) error", "execute"]


def test_a_context_that_can_not_be_encoded_is_a_failure_and_no_worker_is_used() -> None:
    pool = ScriptedPool()
    with logged("http") as log:
        exchange = Exchange(http_scope(**{ATTRIBUTES: {"x": object()}})).run(worker_app(pool))
    assert exchange.status == 500
    assert pool.asked == []
    assert log.messages == ["payload forming error"]


class TestProtobuf:
    config = HttpConfig(codec="protobuf")

    def answer(self) -> bytes:
        return Response(status=202, headers={"X": HeaderValue(value=[b"1"])}).SerializeToString()

    def test_the_request_and_the_reply_are_in_protobuf(self) -> None:
        pool = ScriptedPool(reply(self.answer(), b"x", int(Codec.PROTO)))
        exchange = Exchange(http_scope("GET", "/p")).run(worker_app(pool, self.config))
        assert (exchange.status, exchange.headers) == (202, [("x", "1"), ("content-length", "1")])
        assert pool.asked[0].codec == Codec.PROTO
        assert Request.FromString(pool.asked[0].context).uri == "http://ex.com/p"

    def test_a_reply_without_codec_bits_has_the_codec_of_the_request(self) -> None:
        assert (
            Exchange(http_scope()).run(worker_app(ScriptedPool(reply(self.answer(), b"", 0)), self.config)).status
            == 202
        )

    def test_an_empty_form_has_no_body(self) -> None:
        pool = ScriptedPool(reply(self.answer(), b"", int(Codec.PROTO)))
        Exchange(post(FORM), [b""]).run(worker_app(pool, self.config))
        assert pool.asked[0].body == b""
        assert Request.FromString(pool.asked[0].context).parsed
