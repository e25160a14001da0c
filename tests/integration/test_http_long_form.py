"""Parsing a form for seconds does not block other requests."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"


def test_other_requests_are_served_while_a_long_form_is_parsed(tmp_path: Path) -> None:
    body = b"".join(b"f%d=1&" % number for number in range(400_000))
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 2}, "forms": {"max_fields": 0}},
    }
    with Server(tmp_path, config) as server:

        async def main() -> None:
            long = Client(*await asyncio.open_connection(*server.address))
            await long.send(request("POST", "/pid", body, content_type="application/x-www-form-urlencoded"))
            answer = asyncio.create_task(long.rest())
            answered = 0
            while not answer.done():
                other = Client(*await asyncio.open_connection(*server.address))
                await other.send(request("GET", "/pid"))
                assert split(await other.rest())[0] == 200
                other.close()
                answered += not answer.done()
            assert split(answer.result())[0] == 200
            assert answered > 5  # one or two may have arrived before parsing began
            long.close()

        run(main())
