"""``rr trust``: make this machine trust the authority of ``rr serve --https``, or stop trusting it."""

from __future__ import annotations

import os
from pathlib import Path

from pyroadrunner.cli.console import say
from pyroadrunner.cli.trust import system_store
from pyroadrunner.cli.trust.places import authority_folder
from pyroadrunner.errors import RoadRunnerError


def path() -> int:
    """Print the path of the authority's certificate.

    Raises:
        RoadRunnerError: there is none yet.
    """
    say(str(_certificate()))
    return 0


def install() -> int:
    """Add the authority to the store of the machine; without root print the command.

    Returns:
        0 if the machine trusts it, else 1.
    """
    certificate = _certificate()
    if system_store.is_installed(certificate):
        say(f"this machine trusts {certificate} already")
        say(system_store.BROWSERS.format(path=certificate))
        return 0
    if os.geteuid() != 0 and system_store.is_supported():
        say("the store of this machine belongs to root; run:")
        say(f"  {system_store.install_command(certificate)}")
        say(system_store.BROWSERS.format(path=certificate))
        return 1
    system_store.install(certificate)
    say(f"this machine trusts {certificate} now (curl, PHP and most programs)")
    say(system_store.BROWSERS.format(path=certificate))
    return 0


def uninstall() -> int:
    """Remove the authority from the store of the machine; without root print the command.

    Returns:
        0 if the machine does not trust it, else 1.
    """
    certificate = _certificate()
    if os.geteuid() != 0 and system_store.is_installed(certificate):
        say("the store of this machine belongs to root; run:")
        say(f"  {system_store.uninstall_command(certificate)}")
        return 1
    was_there = os.geteuid() == 0 and system_store.uninstall(certificate)
    say("this machine does not trust it any more" if was_there else "this machine did not trust it")
    say(f"Remove it from browsers by hand. Its files are in {certificate.parent}: remove the folder to forget it.")
    return 0


def _certificate() -> Path:
    certificate = authority_folder(os.environ, root=os.geteuid() == 0) / "ca.crt"
    if not certificate.is_file():
        raise RoadRunnerError(f"{certificate} does not exist yet: rr serve --https makes it")
    return certificate
