"""The completion script, in a real bash."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from pyroadrunner.cli.completion import script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rr", "wor"], ["workers"]),
        (["rr", "-c", "x", "config", "ch"], ["check"]),
        (["rr", "workers", "--inter"], ["--interactive"]),
        (["rr", "stop", "--inter"], []),
        (["rr", "completion", "f"], ["fish"]),
        (["rr", "mi"], ["migrate"]),
        (["rr", "migrate", "/etc/host.c"], ["/etc/host.conf"]),
        (["rr", "trust", "un"], ["uninstall"]),
        (["rr", "config", "ex"], ["explain"]),
        (["rr", "k"], ["kv"]),
        (["rr", "lock", "r"], ["release"]),
        (["rr", "kv", "set", "--t"], ["--ttl"]),
        (["rr", "--ttl", "5m", "kv", "cl"], ["clear"]),
    ],
)
def test_bash_completes(words: list[str], expected: list[str]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    ask = f'COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _rr; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run([bash, "-c", script("bash") + ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected
