"""The files of the front end: vendored ones are as recorded, and none names another host."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from pyroadrunner.plugins.dashboard.assets import PUBLIC, load_assets

FOLDER = Path(load_assets.__code__.co_filename).parent / "assets"
RECORDED = re.findall(
    r"^\| (\S+\.(?:js|css)) \|.*\| ([0-9a-f]{64}) \|$", (FOLDER / "vendor" / "README.md").read_text(), re.M
)
OWN = sorted(path for path in FOLDER.iterdir() if path.is_file())


def test_each_vendored_file_is_the_recorded_one() -> None:
    files = {path.name for path in (FOLDER / "vendor").iterdir() if path.suffix in (".js", ".css")}
    assert files == {name for name, _ in RECORDED}
    for name, digest in RECORDED:
        assert sha256((FOLDER / "vendor" / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_file_names_another_host_or_converts_text_to_html(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//\w+\.\w+/", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|dangerously", text)


def test_all_files_are_small_and_have_a_type() -> None:
    assets = load_assets()
    assert set(assets) >= PUBLIC
    assert set(assets) >= {"index.html", "app.js", "vendor/uplot.js"}
    assert sum(len(asset.body) for asset in assets.values()) < 150_000
