"""``make docs``: each page, link and anchor of the documentation holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_site_is_built_without_a_broken_link(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = ["sh", "scripts/docs.sh", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index", "jobs", "reference/commands", "reference/config/http", "design/index", "architecture"):
        assert (site / f"{page}.html").is_file()
    assert "fonts.googleapis" not in (site / "index.html").read_text()
    assert (site / "pictures" / "architecture.svg").is_file()
