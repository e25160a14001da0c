"""Ambiguous requests that two servers could read differently. None may reach a worker or break the listener."""

from __future__ import annotations

import pytest

from support.asgi import ScriptedPool, worker_app
from support.http import Listening, request, split
from support.pools import run

POST = b"POST / HTTP/1.1\r\nHost: ex.com\r\n"
GET = b"GET / HTTP/1.1\r\nHost: ex.com\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

SHAPES = {
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "two lengths in one line": POST + b"Content-Length: 3, 5\r\n\r\nabcde",
    "a length with a plus": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "a hexadecimal length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a length past 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "an empty length": POST + b"Content-Length: \r\n\r\nabc",
    "a length, then chunked": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
    "chunked, then a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + END,
    "chunked misspelt": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + END,
    "chunked is not the last coding": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + END,
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\nabc",
    "a coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + END,
    "chunked in two lines": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + END,
    "a vertical tab before chunked": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + END,
    "chunked in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + END,
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: ex.com\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
    "a blank before the colon": POST + b"Content-Length : 3\r\n\r\nabc",
    "a tab before the colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n" + END,
    "a blank before the first name": b"GET / HTTP/1.1\r\n Host: ex.com\r\n\r\n",
    "lines end with LF": b"GET / HTTP/1.1\nHost: ex.com\n\n",
    "one line ends with LF": GET + b"X: a\nTransfer-Encoding: chunked\r\n\r\n",
    "CR in a value": GET + b"X: a\rY: b\r\n\r\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "a folded line": GET + b"X: a\r\n b\r\n\r\n",
    "an empty name": GET + b": a\r\n\r\n",
    "a line without a colon": GET + b"Xabc\r\n\r\n",
    "a name that is not ASCII": GET + "é: a\r\n\r\n".encode(),
    "two hosts": GET + b"Host: evil.org\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a host with a blank": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a blank in the target": b"GET /a b HTTP/1.1\r\nHost: ex.com\r\n\r\n",
    "two blanks before the target": b"GET  / HTTP/1.1\r\nHost: ex.com\r\n\r\n",
    "tabs in the request line": b"GET\t/\tHTTP/1.1\r\nHost: ex.com\r\n\r\n",
    "a control character in the method": b"GE\x01T / HTTP/1.1\r\nHost: ex.com\r\n\r\n",
    "an unknown version": b"GET / HTTP/1.2\r\nHost: ex.com\r\n\r\n",
    "a version in lower case": b"GET / http/1.1\r\nHost: ex.com\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "a negative chunk": CHUNKED + b"-1\r\nabc\r\n" + END,
    "a chunk with 0x": CHUNKED + b"0x3\r\nabc\r\n" + END,
    "a chunk with a plus": CHUNKED + b"+3\r\nabc\r\n" + END,
    "a chunk past 64 bits": CHUNKED + b"fffffffffffffffff3\r\nabc\r\n" + END,
    "a chunk with a blank": CHUNKED + b"3 \r\nabc\r\n" + END,
    "a chunk with an underscore": CHUNKED + b"1_0\r\n" + b"a" * 16 + b"\r\n" + END,
    "chunk lines end with LF": CHUNKED + b"3\nabc\n0\n\n",
    "LF in a chunk's extension": CHUNKED + b"3;a\nb\r\nabc\r\n" + END,
    "a chunk longer than it says": CHUNKED + b"3\r\nabcXX" + END,
    "a chunk without a size": CHUNKED + b"\r\nabc\r\n" + END,
    "a length among the trailers": CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_ambiguous_request_is_refused_and_others_are_served(listening: Listening, shape: str) -> None:
    pool = ScriptedPool()

    async def main() -> tuple[bytes, bytes]:
        async with listening(worker_app(pool)) as served:
            client = await served.connect()
            await client.send(SHAPES[shape])
            client.half_close()
            answer = await client.rest()
            client.close()
            asked = len(pool.asked)
            assert asked == 0, answer
            return answer, await served.talk(request("GET", "/next"))

    answer, following = run(main())
    # An error in the head gives a response. An error in the body closes the connection, since a part was already read.
    assert not answer or split(answer)[0] in (400, 501, 505), answer
    assert answer.count(b"HTTP/1.1") <= 1
    assert split(following)[0] == 200
    assert len(pool.asked) == 1


@pytest.mark.parametrize("length", [b"Content-Length: 3\r\nContent-Length: 3", b"Content-Length: 3, 3"])
def test_a_repeated_content_length_counts_once(listening: Listening, length: bytes) -> None:
    pool = ScriptedPool()

    async def main() -> bytes:
        async with listening(worker_app(pool)) as served:
            return await served.talk(POST + length + b"\r\nConnection: close\r\n\r\nabc")

    assert split(run(main()))[0] == 200
    assert pool.asked[0].body == b"abc"
    assert pool.context["headers"]["Content-Length"] == ["3"]
