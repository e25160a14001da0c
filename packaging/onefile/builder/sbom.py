"""A bill of materials in the form of CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), with no time and no random
number in it: the same file has the same bill."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution
from typing import Any

from builder.components import Native
from pyroadrunner.cli.licenses.components import license_of
from pyroadrunner.cli.plugin.packages import normalized

_SPDX_WORDS = ("-", " OR ", " AND ", "MIT", "ISC", "0BSD", "Zlib", "Unlicense")


def bill(name: str, version: str, packages: Iterable[Distribution], natives: Iterable[Native], digest: str) -> str:
    """The bill of one file.

    Args:
        name: of the file.
        version: of pyroadrunner.
        digest: SHA-256 of the file.
    """
    parts = [_package(one) for one in packages] + [_native(one) for one in natives]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(digest[:32])}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "file",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/pyroadrunner@{version}",
                "licenses": [{"license": {"id": "MIT"}}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": sorted(parts, key=lambda part: str(part["bom-ref"])),
        "dependencies": [{"ref": "file", "dependsOn": sorted(str(part["bom-ref"]) for part in parts)}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _package(package: Distribution) -> dict[str, Any]:
    purl = f"pkg:pypi/{normalized(package.metadata['Name'])}@{package.version}"
    return _part(package.metadata["Name"], package.version, license_of(package), purl)


def _native(native: Native) -> dict[str, Any]:
    return _part(native.name, native.version, native.licence, native.purl)


def _part(name: str, version: str, licence: str, purl: str) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence:
        part["licenses"] = [_license(licence)]
    return part


def _license(words: str) -> Mapping[str, Any]:
    """An expression of SPDX as such, other words as a name."""
    is_expression = any(word in words for word in _SPDX_WORDS) and "License" not in words
    return {"expression": words} if is_expression else {"license": {"name": words}}
