"""The builder of the one file, without compilers: what it packs, and how."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from builder import archive, components, deb, sbom
from builder.elf import search_for_all
from builder.tree import Tree, _move_into_archives, _remove_unused

ROOT = Path(__file__).parents[3]
ZLIB = components.Native(name="zlib", version="1.3", licence="Zlib", texts=(), purl="pkg:cargo/libz-sys@1")


def small_tree(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "rr").write_bytes(b"program")
    (folder / "bin" / "rr").chmod(0o700)
    (folder / "b.txt").write_text("b")
    (folder / "a.txt").write_text("a")
    return folder


def test_an_archive_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    one, other = small_tree(tmp_path / "one"), small_tree(tmp_path / "other")
    (other / "a.txt").touch()
    (other / "a.txt").chmod(0o600)
    assert archive.tar(one) == archive.tar(other)
    with tarfile.open(fileobj=io.BytesIO(archive.tar(one))) as packed:
        assert [entry.name for entry in packed] == ["a.txt", "b.txt", "bin", "bin/rr"]
        assert packed.getmember("bin/rr").mode == 0o755
        assert packed.getmember("a.txt").mode == 0o644


def test_the_footer_says_where_the_archive_lies(tmp_path: Path) -> None:
    packed = archive.pack(b"launcher", archive.tar(small_tree(tmp_path / "tree")), level=1)
    magic, offset, length, digest = struct.unpack("<8sQQ40s", packed[-64:])
    assert magic == b"RRONEFL1"
    assert offset == 4096
    assert hashlib.sha256(packed[offset : offset + length]).hexdigest().startswith(digest.decode())
    assert len(packed) == offset + length + 64


def elf(*entries: tuple[int, int]) -> bytes:
    """A file with nothing but a dynamic section."""
    header = b"\x7fELF\x02\x01".ljust(32, b"\0") + struct.pack("<Q", 64) + bytes(14) + struct.pack("<HH", 56, 1)
    program = struct.pack("<IIQQQQ", 2, 0, 120, 0, 0, 16 * len(entries)) + bytes(16)
    return header.ljust(64, b"\0") + program + b"".join(struct.pack("<qq", *entry) for entry in entries)


def test_the_search_path_of_the_program_counts_for_all_libraries(tmp_path: Path) -> None:
    program = tmp_path / "rr"
    program.write_bytes(elf((1, 7), (29, 5), (0, 0), (29, 9)))
    search_for_all(program)
    assert program.read_bytes() == elf((1, 7), (15, 5), (0, 0), (29, 9))
    program.write_bytes(b"#!/bin/sh\n" * 20)
    with pytest.raises(ValueError, match="not a 64-bit ELF file"):
        search_for_all(program)


def test_pure_modules_go_into_two_archives(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "3.13")
    for name in (
        *("os.pyc", "json/__init__.pyc", "lib-dynload/keep", "site-packages/pyroadrunner/__init__.pyc"),
        *("site-packages/uvloop/__init__.pyc", "site-packages/uvloop/loop.so", "site-packages/redis/__init__.pyc"),
        *("site-packages/opentelemetry/sdk/__init__.pyc", "site-packages/_brotli.cpython-313-x86_64-linux-gnu.so"),
    ):
        (tree.library / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.library / name).write_bytes(b"")
    _move_into_archives(tree)
    assert zipfile.ZipFile(tree.core_archive).namelist() == [
        *("json/__init__.pyc", "os.pyc", "pyroadrunner/__init__.pyc")
    ]
    rest = zipfile.ZipFile(tree.rest_archive).namelist()
    assert rest == ["opentelemetry/", "opentelemetry/sdk/__init__.pyc", "redis/__init__.pyc"]
    assert (tree.packages / "packages.pth").read_text() == "../../packages.zip\n"
    left = {str(path.relative_to(tree.library)) for path in tree.library.rglob("*") if path.is_file()}
    assert left == {
        *("lib-dynload/keep", "site-packages/packages.pth", "site-packages/_brotli.cpython-313-x86_64-linux-gnu.so"),
        *("site-packages/uvloop/__init__.pyc", "site-packages/uvloop/loop.so"),
    }


def test_what_the_server_never_uses_is_left_out(tmp_path: Path) -> None:
    for name in ("temporalio/bridge/sdk-core/a.rs", "setuptools/a.py", "botocore/data/ec2/b", "botocore/data/sqs/b"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    (tmp_path / "botocore" / "data" / "endpoints.json").write_text("")
    _remove_unused(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        *("botocore/data/endpoints.json", "botocore/data/sqs/b")
    ]


def test_the_pinned_versions_are_read_from_the_script() -> None:
    pins = components.pins_of(ROOT / "packaging" / "onefile" / "versions.sh")
    assert pins["glibc"] == "2.28"
    assert pins["python_version"].startswith("3.13.")
    assert len(pins["python_sha256"]) == 64


def test_licences_are_written_where_the_command_reads_them(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("the text")
    native = components.Native(name="zlib", version="1.3", licence="Zlib", texts=(tmp_path / "text",), purl="")
    components.write([native], tmp_path / "share")
    assert json.loads((tmp_path / "share" / "components.json").read_text()) == [
        {"name": "zlib", "version": "1.3", "license": "Zlib", "texts": ["zlib.txt"]}
    ]
    assert (tmp_path / "share" / "licenses" / "zlib.txt").read_text() == "the text"


def test_the_bill_of_materials_names_packages_and_libraries() -> None:
    digest = "0123456789abcdef" * 4
    document = json.loads(sbom.bill("rr", "0.1.0", [distribution("uvloop")], [ZLIB], digest))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["serialNumber"] == "urn:uuid:01234567-89ab-cdef-0123-456789abcdef"
    assert [part["name"] for part in document["components"]] == ["zlib", "uvloop"]
    assert document["components"][0]["licenses"] == [{"expression": "Zlib"}]
    assert document["dependencies"][0]["dependsOn"] == [part["purl"] for part in document["components"]]
    assert document["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": digest}]


def test_the_unit_of_the_package_starts_the_packaged_server() -> None:
    unit = deb.service((ROOT / "examples" / "systemd" / "rr.service").read_text())
    assert "\nExecStart=/usr/bin/rr serve -c .rr.yaml\n" in unit
    assert "\nUser=www-data\n" in unit
    with pytest.raises(ValueError, match="has changed"):
        deb.service("[Service]\nExecStart=/bin/true\n")


def test_the_manual_shows_the_lines_of_the_dockerfile() -> None:
    example = (ROOT / "examples" / "docker" / "Dockerfile.onefile").read_text()
    manual = (ROOT / "docs" / "install.md").read_text()
    shown = manual.partition("```dockerfile\n")[2].partition("```")[0].splitlines()
    assert shown == [line for line in example.splitlines() if line in shown]
