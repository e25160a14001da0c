"""``make acceptance``: check the targets other than speed, one after the other. About two minutes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bench import big, churn, overload, startup
from bench.checks import Check, draw
from bench.client import NotUp, WrongAnswer
from bench.wrk import WrkFailed

PARTS: dict[str, tuple[str, Callable[[], list[Check]]]] = {
    "startup": ("Starting", startup.checks),
    "big": ("Large bodies", big.checks),
    "overload": (f"{overload.SECONDS} s of {overload.CLIENTS} clients on two slow workers", overload.checks),
    "churn": (f"{churn.SECONDS} s of load, a reset and a kill -9 every second", churn.checks),
}


def main() -> int:
    """0 if all targets are met."""
    parser = argparse.ArgumentParser(prog="python -m bench.acceptance", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}")
    names = parser.parse_args().parts or list(PARTS)
    if unknown := set(names) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    holds = True
    for name in names:
        title, checks = PARTS[name]
        try:
            found = checks()
        except (NotUp, WrongAnswer, WrkFailed) as error:
            print(f"\n{title}\n\nnot measured: {error}")
            holds = False
            continue
        print(draw(title, found), flush=True)
        holds = holds and all(check.holds for check in found)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
