"""The tree that the one file unpacks: ``bin/rr`` (CPython), its standard library and the packages as compiled modules.

Creating files is what the first start costs, so pure modules are in two archives. Python reads the directory of an
archive before it imports the first module from it: ``lib/pythonXY.zip`` has what every start needs, and
``lib/packages.zip`` the rest, which comes last in the search path. Packages with extension modules stay as files, and
so does the PHP library.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from builder.elf import search_for_all

_UNUSED = {  # of the standard library: tests, graphical interfaces, and what needs modules that are not built
    *("curses", "dbm", "ensurepip", "idlelib", "lib-dynload", "site-packages", "test", "tkinter", "turtledemo"),
    *("turtle.py", "pydoc_data", "__phello__", "_pyrepl"),
}
_NOT_PACKED = re.compile(
    r"(__pycache__|tests?|.*\.(a|c|cc|cpp|cxx|exe|h|hpp|js|map|md|pxd|pxi|pyi|pyx|rst|whl)|py\.typed|direct_url\.json|INSTALLER)"
)
_LICENCE = re.compile(r"(licen[sc]e|copying|notice|authors)", re.IGNORECASE)
# What packages bring and the server never uses: sources in Rust, and tools for building packages.
_UNUSED_OF_PACKAGES = (
    *("temporalio/bridge/Cargo*", "temporalio/bridge/sdk-core", "temporalio/bridge/src"),
    *("setuptools*", "pkg_resources", "_distutils_hack", "distutils-precedence.pth"),  # grpcio-tools
)
_BOTOCORE_DATA = "botocore/data"  # a description of each service; these are for SQS and for finding credentials
_SERVICES = {"signin", "sqs", "sso", "sso-oidc", "sts"}
_CORE = re.compile(r"(pyroadrunner|cronsim|msgspec|multipart|python_multipart|protobuf)([-.].*)?")
_TIME = (1980, 1, 1, 0, 0, 0)  # of entries in the archive of modules


@dataclass(frozen=True)
class Tree:
    """A tree to be built.

    Attributes:
        root: its folder.
        version: of CPython, such as ``3.13``.
    """

    root: Path
    version: str

    @property
    def library(self) -> Path:
        return self.root / "lib" / f"python{self.version}"

    @property
    def packages(self) -> Path:
        return self.library / "site-packages"

    @property
    def core_archive(self) -> Path:
        return self.root / "lib" / f"python{self.version.replace('.', '')}.zip"

    @property
    def rest_archive(self) -> Path:
        return self.root / "lib" / "packages.zip"


def assemble(tree: Tree, interpreter: Path, site: Path, libraries: list[Path]) -> None:
    """Build the tree.

    Args:
        interpreter: the folder where CPython is installed.
        site: the folder with the packages.
        libraries: shared libraries that extension modules need and that a system may lack.
    """
    shutil.rmtree(tree.root, ignore_errors=True)
    (tree.root / "bin").mkdir(parents=True)
    program = tree.root / "bin" / "rr"
    shutil.copy(interpreter / "bin" / f"python{tree.version}", program)
    source = interpreter / "lib" / f"python{tree.version}"
    shutil.copytree(source, tree.library, ignore=_left_out_of_library(source))
    shutil.copytree(site, tree.packages, ignore=_left_out_of_packages(site))
    _remove_unused(tree.packages)
    (tree.root / "share" / "pyroadrunner").mkdir(parents=True)
    shutil.move(tree.packages / "pyroadrunner" / "php", tree.root / "share" / "pyroadrunner" / "php")
    for library in libraries:
        shutil.copy(library, tree.root / "lib" / library.name)
    (tree.library / "lib-dynload").mkdir()  # CPython looks for it; all its modules are built in
    for settings in tree.library.glob("_sysconfigdata*.py"):  # has the folder of the build
        settings.write_text(settings.read_text("utf-8").replace(str(interpreter.parent), "/build"), "utf-8")
    _strip(tree)
    search_for_all(program)
    # Each start looks for this module; not to find it would mean to search, and thus to read, all archives.
    (tree.library / "sitecustomize.py").write_text("")
    _compile(tree, interpreter)
    _move_into_archives(tree)


def _left_out_of_library(top: Path):  # type: ignore[no-untyped-def]  # shutil's own type is private
    def left_out(folder: str, names: list[str]) -> set[str]:
        unused = _UNUSED if Path(folder) == top else {"test", "tests", "__pycache__"}
        return {name for name in names if name in unused or name == "__pycache__" or name.startswith("config-")}

    return left_out


def _left_out_of_packages(top: Path):  # type: ignore[no-untyped-def]  # as above
    def left_out(folder: str, names: list[str]) -> set[str]:
        if Path(folder) == top:
            names_out = {"bin", "__pycache__"}
            return {name for name in names if name in names_out}
        inside_php = "pyroadrunner/php" in folder
        return {
            name
            for name in names
            if _NOT_PACKED.fullmatch(name) and not _LICENCE.match(name) and not (inside_php and name != "__pycache__")
        }

    return left_out


def _remove_unused(packages: Path) -> None:
    services = [path for path in packages.glob(f"{_BOTOCORE_DATA}/*/") if path.name not in _SERVICES]
    for path in [*services, *(path for pattern in _UNUSED_OF_PACKAGES for path in packages.glob(pattern))]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _strip(tree: Tree) -> None:
    """Remove symbols and debugging information: uvloop alone becomes 12 MB smaller."""
    objects = [tree.root / "bin" / "rr", *sorted(path for path in tree.root.rglob("*.so*") if path.is_file())]
    subprocess.run(["strip", "--strip-unneeded", *map(str, objects)], check=True)


def _compile(tree: Tree, interpreter: Path) -> None:
    """Compile all modules and remove their sources. The times of files do not matter (PEP 552)."""
    code = (
        "import compileall, py_compile, sys\n"
        f"done = compileall.compile_dir({str(tree.library)!r}, quiet=1, legacy=True, stripdir={str(tree.root)!r},"
        " workers=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)\n"
        "sys.exit(not done)"
    )
    python = interpreter / "bin" / f"python{tree.version}"
    subprocess.run([str(python), "-I", "-c", code], check=True)
    for source in tree.library.rglob("*.py"):
        if source.with_suffix(".pyc").exists():
            source.unlink()


def _move_into_archives(tree: Tree) -> None:
    with (
        zipfile.ZipFile(tree.core_archive, "w", zipfile.ZIP_STORED) as core,
        zipfile.ZipFile(tree.rest_archive, "w", zipfile.ZIP_STORED) as rest,
    ):
        for path in sorted(tree.library.iterdir()):
            if path.name not in ("site-packages", "lib-dynload"):
                _move(core, path, tree.library)
        for path in sorted(tree.packages.iterdir()):
            if not _needs_files(path):
                _move(core if _CORE.fullmatch(path.name) else rest, path, tree.packages)
    relative = os.path.relpath(tree.rest_archive, tree.packages)
    (tree.packages / "packages.pth").write_text(f"{relative}\n", "utf-8")


def _needs_files(path: Path) -> bool:
    """Whether a package has extension modules; its data may then be read by C code as well."""
    if path.suffix == ".so" or path.name.endswith(".libs"):
        return True
    return path.is_dir() and any(".so" in one.name for one in path.rglob("*"))


def _move(archive: zipfile.ZipFile, path: Path, top: Path) -> None:
    if path.is_dir():
        if not (path / "__init__.pyc").exists():  # it needs an entry of its own to be found as a package
            archive.writestr(zipfile.ZipInfo(f"{path.relative_to(top)}/", _TIME), b"")
        for inside in sorted(path.iterdir()):
            _move(archive, inside, top)
        path.rmdir()
        return
    archive.writestr(zipfile.ZipInfo(str(path.relative_to(top)), _TIME), path.read_bytes())
    os.unlink(path)
