"""The environment of workers (goridge-and-workers.md, section 5). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.config.expand import as_environment
from pyroadrunner.version import ROADRUNNER_VERSION


def worker_environment(
    base: Mapping[str, str],
    *,
    relay: str,
    rpc: str,
    library: str,
    server: Mapping[str, str],
    plugin: Mapping[str, str],
) -> dict[str, str]:
    """The variables of a worker. Later ones win: RR_PHP_LIBRARY, ``base``, RR_RELAY, RR_RPC, ``server``, RR_VERSION,
    ``plugin``.

    Args:
        base: the server's environment; ``$NAME`` in ``server`` values is expanded from it.
        relay: ``server.relay`` as written.
        rpc: ``rpc.listen`` as written; empty = no RPC and no RR_RPC.
        library: folder of the PHP library; empty = not installed, and no RR_PHP_LIBRARY.
        server: ``server.env``; names are upper-cased, since the config lower-cases them.
        plugin: variables of the plugin (``RR_MODE``); names are upper-cased.
    """
    env = {"RR_PHP_LIBRARY": library} if library else {}
    env |= {**base, "RR_RELAY": relay}
    if rpc:
        env["RR_RPC"] = rpc
    env |= as_environment(server, base)
    env["RR_VERSION"] = ROADRUNNER_VERSION
    env |= {name.upper(): value for name, value in plugin.items()}
    return env
