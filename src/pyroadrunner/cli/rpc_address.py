"""Find the RPC address of the running server from its config."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import cast

from pyroadrunner.config.load import LoadOptions, load, load_without_file, prepare
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import Address, parse_address
from pyroadrunner.sdk.rpc.encoding import DEFAULT_LISTEN


class NoRpc(RoadRunnerError):
    """The config has no ``rpc`` section, so the server can't be reached."""

    def __init__(self) -> None:
        super().__init__("rpc service not specified in the configuration. Tip: add\n rpc:\n\r listen: rr_rpc_address")


def server_address(options: LoadOptions) -> Address:
    """The RPC address in the config.

    If no config was named and ``.rr.yaml`` does not exist: the default address, where ``rr serve worker.php`` listens.

    Raises:
        ConfigError: the config can't be read, or its ``rpc`` section has errors.
        NoRpc, InvalidAddress.
    """
    named = options.path != LoadOptions.path
    options = replace(prepare(options), require_version=False)
    if not named and not os.path.exists(options.path):
        raw = load_without_file({"rpc": {}}, options, source="the defaults")
    else:
        raw = load(options)
    if not raw.present("rpc"):
        raise NoRpc
    return parse_address(_listen(raw))


def _listen(raw: RawConfig) -> str:
    section = raw.data["rpc"]
    if isinstance(section, dict) and section.keys() <= {"listen"} and isinstance(section.get("listen", ""), str):
        return section.get("listen") or DEFAULT_LISTEN
    # Import the models only if the section looks wrong: they take a quarter of the time of `rr workers`.
    from pyroadrunner.config.check import check
    from pyroadrunner.plugins.rpc.config import RpcConfig

    checked = check(raw, {"rpc": RpcConfig})
    checked.refuse_faults()
    return cast("RpcConfig", checked.sections["rpc"]).listen
