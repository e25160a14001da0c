"""Waits between attempts. Pure."""

from __future__ import annotations

FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0  # seconds


def wait_after(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row; half of it is random, so that the servers of a cluster do not
    come back to their registry in one moment.

    Args:
        jitter: 0 to 1.
    """
    longest: float = min(FIRST_WAIT * 2.0 ** min(max(failures, 1) - 1, 20), LONGEST_WAIT)
    return longest / 2 + longest / 2 * jitter
