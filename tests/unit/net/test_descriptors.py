"""Shares of the limit of open files."""

from __future__ import annotations

import resource
import sys

import pytest

from pyroadrunner.net.descriptors import most, share


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has its own maximum")
@pytest.mark.parametrize(("hard", "expected"), [(4096, 4096), (1 << 30, 1 << 20), (resource.RLIM_INFINITY, 1 << 20)])
def test_the_limit_follows_the_hard_one_up_to_a_million(hard: int, expected: int) -> None:
    assert most(hard) == expected


def test_a_share_is_at_least_64() -> None:
    assert share(1 << 30) == 64
    assert share(1) == 2 * share(2) > 64
