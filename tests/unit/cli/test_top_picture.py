"""The picture in docs/top.md. With ``RR_PICTURES=docs/pictures`` this test writes it."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

from pyroadrunner.cli.top.app import Settings, TopApp
from pyroadrunner.net.address import TcpAddress
from support.overview import shop

_SIZE = (118, 34)
_MOST_BYTES = 150_000


class Prepared:
    """A poller with two answers."""

    def __init__(self, _address: object, _interval: float, on_overview: Any, _on_error: Any) -> None:
        self._on_overview = on_overview

    def start(self) -> None:
        self._on_overview(shop(7322.0, calls=91_234_567, done=48_210))
        self._on_overview(shop(7323.0, calls=91_244_798, done=48_227))

    def stop(self) -> None:
        pass


async def _drawn() -> str:
    app = TopApp(TcpAddress("127.0.0.1", 1), Settings(), poller=Prepared)  # type: ignore[arg-type]
    async with app.run_test(size=_SIZE) as pilot:
        await pilot.pause()
        await pilot.press("down")
        await pilot.pause()
        return app.export_screenshot(title="rr top", simplify=True)


def test_the_picture_of_the_docs_is_small_and_loads_nothing(tmp_path: Path) -> None:
    picture = re.sub(r"@font-face \{.*?\}\s*", "", asyncio.run(_drawn()), flags=re.DOTALL)  # they come from a CDN
    folder = Path(os.environ.get("RR_PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.svg").write_text(picture + "\n", encoding="utf-8")
    shown = re.sub(r"<[^>]+>", "", picture).replace("&#160;", " ")
    assert "requests/s 10,243" in shown
    assert "GET /reports/2026" in shown
    assert len(picture.encode()) < _MOST_BYTES
    assert not re.findall(r"""url\((?!#)|src=|href=["']http""", picture)
