"""The methods of the service ``rpc`` itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pyroadrunner.contracts import EffectiveConfig, RpcMethod
from pyroadrunner.version import ROADRUNNER_VERSION


def builtin_methods(effective: EffectiveConfig) -> Mapping[str, RpcMethod]:
    """``Version`` and ``Config``; both take an unused bool."""

    def version(_: bool) -> str:
        return ROADRUNNER_VERSION

    def config(_: bool) -> bytes:
        return msgspec.json.encode(effective.as_dict(), enc_hook=str)

    return {"Version": RpcMethod(version), "Config": RpcMethod(config)}
