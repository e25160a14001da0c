"""Build the files of one variant from an interpreter, a launcher and a folder of packages (``scripts/onefile.sh``)."""

from __future__ import annotations

import argparse
import hashlib
from importlib.metadata import distributions
from pathlib import Path

from builder import archive, components, deb, sbom
from builder.tree import Tree, assemble

_ROOT = Path(__file__).parents[3]
_HERE = _ROOT / "packaging" / "onefile"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="builder", description=__doc__)
    for name in ("interpreter", "launcher", "site", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--name", required=True, help="name of the file: rr or rr-light")
    parser.add_argument("--machine", required=True)
    parser.add_argument("--cxx", type=Path, help="the C++ library, if packages need it")
    parser.add_argument("--deb", action="store_true")
    options = parser.parse_args()

    cache = _ROOT / ".cache" / "onefile"
    pins = components.pins_of(_HERE / "versions.sh")
    natives = components.native(cache, pins, _HERE / "sources" / "Cargo.lock", cxx=options.cxx is not None)
    packages = list(distributions(path=[str(options.site)]))
    version = next(one.version for one in packages if one.name == "pyroadrunner")

    tree = Tree(cache / f"tree-{options.name}", ".".join(pins["python_version"].split(".")[:2]))
    assemble(tree, options.interpreter, options.site, [options.cxx] if options.cxx else [])
    components.write(natives, tree.root / "share" / "pyroadrunner")

    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{options.name}-{version}-linux-{options.machine}"
    archive.write(tree.root, options.launcher, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_name(f"{file.name}.cdx.json").write_text(
        sbom.bill(file.name, version, packages, natives, digest), "utf-8"
    )
    if options.deb:
        architecture = _ARCHITECTURES[options.machine]
        out = options.out / f"pyroadrunner_{version}_{architecture}.deb"
        unit, licence = _ROOT / "examples" / "systemd" / "rr.service", _ROOT / "LICENSE"
        deb.build(tree.root, unit, licence, out, version=version, architecture=architecture, glibc=pins["glibc"])


if __name__ == "__main__":
    main()
