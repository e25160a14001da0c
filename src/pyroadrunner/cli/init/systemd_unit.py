"""The systemd unit that ``rr init --systemd`` writes: that of docs/deploy/systemd.md, for this folder. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_HOMES = ("/home/", "/root/", "/run/user/")


@dataclass(frozen=True, kw_only=True)
class Service:
    """What the unit depends on.

    Attributes:
        title: of the application.
        folder: absolute path of the application.
        rr: absolute path of ``rr``.
        config: path of the config, relative to the folder.
        user, group: who runs the server.
        writable: folders that the application writes to, absolute.
    """

    title: str
    folder: str
    rr: str
    config: str
    user: str
    group: str
    writable: Sequence[str] = ()


def systemd_unit(service: Service) -> str:
    """The text of the unit."""
    return "\n".join(_lines(service)) + "\n"


def _lines(service: Service) -> Iterator[str]:
    at_home = f"{service.folder}/".startswith(_HOMES) or service.rr.startswith(_HOMES)
    yield "# Written by rr init --systemd. Every line is explained in docs/deploy/systemd.md."
    yield "[Unit]"
    yield f"Description={_escaped(service.title)} on pyroadrunner"
    yield "Wants=network-online.target"
    yield "After=network-online.target"
    yield ""
    yield "[Service]"
    yield "Type=notify"
    yield f"User={service.user}"
    yield f"Group={service.group}"
    yield "UMask=0007"
    yield "RuntimeDirectory=rr"
    yield f"WorkingDirectory={_escaped(service.folder)}"
    yield "EnvironmentFile=-/etc/rr.env"
    yield f"ExecStart={_word(service.rr)} serve -c {_word(service.config)}"
    yield "ExecReload=/bin/kill -HUP $MAINPID"
    yield "# SIGTERM only to the server, which then stops its workers in order."
    yield "KillMode=mixed"
    yield "# More than endure.grace_period plus ten seconds for the workers."
    yield "TimeoutStopSec=45"
    yield "WatchdogSec=30"
    yield "# A server that hangs does not handle SIGABRT, and would hang for TimeoutStopSec more."
    yield "WatchdogSignal=SIGKILL"
    yield "Restart=on-failure"
    yield "RestartSec=1"
    yield "# The server replaces a worker that the kernel kills for its memory; by default systemd stops the service."
    yield "OOMPolicy=continue"
    yield "LimitNOFILE=65536"
    yield "# With a line for each request the journal would drop lines, including errors."
    yield "LogRateLimitIntervalSec=0"
    yield ""
    yield "NoNewPrivileges=yes"
    yield "PrivateTmp=yes"
    if at_home:
        yield "# The application is in a home folder, which ProtectHome=yes would hide."
    yield f"ProtectHome={'read-only' if at_home else 'yes'}"
    yield "ProtectSystem=strict"
    if service.writable:
        yield f"ReadWritePaths={' '.join(_word(path) for path in service.writable)}"
    else:
        yield "# Folders that the application writes to; they must exist."
        yield f"#ReadWritePaths={_word(f'{service.folder}/var')}"
    yield ""
    yield "[Install]"
    yield "WantedBy=multi-user.target"


def _escaped(text: str) -> str:
    """Text in which ``%`` has no meaning to systemd."""
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """One word of a command line or of a list of paths."""
    text = _escaped(text)
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"'
