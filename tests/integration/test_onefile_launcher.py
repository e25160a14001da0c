"""The launcher of the one file: where it unpacks, what it refuses, and that nothing breaks it half way."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.launcher import digest_of, start, write_file
from support.mounts import require_mounts

NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_file(tmp_path / "rr")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder to unpack to; the launcher creates it."""
    return tmp_path / "place"


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can read, also its parents."""
    with TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_it_becomes_the_interpreter_with_the_same_process_id(file: Path, place: Path) -> None:
    process = subprocess.Popen(
        [file, "serve", "-c", "my file.yaml"], env={"RR_UNPACK": str(place)}, stdout=subprocess.PIPE, text=True
    )
    out, _ = process.communicate(timeout=60)
    assert out.splitlines() == [
        f"pid {process.pid}",
        f"file {file}",
        "argument -I",
        "argument -m",
        "argument pyroadrunner.cli",
        "argument serve",
        "argument -c",
        "argument my file.yaml",
    ]


def test_it_unpacks_once(file: Path, place: Path) -> None:
    home = place / digest_of(file)
    assert start(file, env={"RR_UNPACK": str(place)}).started
    assert (home / "lib" / "link").read_text() == "1"
    assert (home / "bin" / "rr").stat().st_mode & 0o777 == 0o755
    unpacked = home.stat().st_ctime_ns
    assert start(file, env={"RR_UNPACK": str(place)}).started
    assert home.stat().st_ctime_ns == unpacked
    assert sorted(path.name for path in place.iterdir()) == sorted([".lock", home.name])


def test_a_restrictive_umask_does_not_matter_and_is_kept(file: Path, place: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'umask 077; "$@"; umask', "sh", file],
        env={"RR_UNPACK": str(place)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.endswith("0077\n")
    assert (place / digest_of(file) / "lib" / "version").stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="starting as another user needs root")
def test_by_default_it_unpacks_to_the_cache_of_the_user(public: Path) -> None:
    file = write_file(public / "rr")
    os.chown(public, NOBODY, NOBODY)
    assert start(file, env={"HOME": str(public)}, user=NOBODY).started
    assert (public / ".cache" / "pyroadrunner" / digest_of(file)).is_dir()
    assert (public / ".cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="starting as root needs root")
def test_for_root_it_unpacks_where_workers_of_other_users_can_read_it(file: Path, tmp_path: Path) -> None:
    require_mounts()
    show = 'mount -t tmpfs -o mode=0755 none /var/cache; "$@"; ls -ld /var/cache/pyroadrunner/*; exit'
    run = start(file, env={"HOME": str(tmp_path)}, before=show)
    assert f"/var/cache/pyroadrunner/{digest_of(file)}\n" in run.out, run.err
    assert "\ndrwxr-xr-x" in run.out
    assert not (tmp_path / ".cache").exists()


def test_the_cache_folder_of_the_desktop_standard_comes_first(file: Path, tmp_path: Path) -> None:
    assert start(file, env={"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}).started
    assert (tmp_path / "cache" / "pyroadrunner" / digest_of(file)).is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="starting as another user needs root")
def test_a_user_without_a_home_gets_a_folder_for_temporary_files(public: Path) -> None:
    file, temporary = write_file(public / "rr"), public / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    run = start(file, env={"HOME": "/nonexistent", "TMPDIR": str(temporary)}, user=NOBODY)
    assert run.started, run.err
    own = temporary / f"pyroadrunner-{NOBODY}"
    assert own.stat().st_uid == NOBODY
    assert not own.stat().st_mode & 0o022


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder to another user needs root")
def test_a_folder_of_another_user_is_refused(file: Path, place: Path) -> None:
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    run = start(file, env={"RR_UNPACK": str(place)})
    assert (run.code, run.out) == (1, "")
    assert run.err == f"rr: can't unpack to RR_UNPACK={place}: it belongs to another user\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder to another user needs root")
def test_a_planted_version_folder_is_refused(file: Path, place: Path) -> None:
    planted = place / digest_of(file)
    planted.mkdir(parents=True)
    os.chown(planted, NOBODY, NOBODY)
    run = start(file, env={"RR_UNPACK": str(place)})
    assert (run.code, run.err) == (1, f"rr: can't use {planted}: it belongs to another user\n")


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_may_write_is_refused(file: Path, place: Path, mode: int) -> None:
    place.mkdir()
    place.chmod(mode)
    run = start(file, env={"RR_UNPACK": str(place)})
    assert (run.code, run.err) == (1, f"rr: can't unpack to RR_UNPACK={place}: other users may write to it\n")


def test_a_symbolic_link_is_refused(file: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to("elsewhere")
    run = start(file, env={"RR_UNPACK": str(place)})
    assert (run.code, run.err) == (1, f"rr: can't unpack to RR_UNPACK={place}: it is a symbolic link\n")


def test_a_file_and_a_relative_path_are_refused(file: Path, place: Path) -> None:
    place.write_text("")
    assert "it is not a folder" in start(file, env={"RR_UNPACK": str(place)}).err
    assert "it is not an absolute path" in start(file, env={"RR_UNPACK": "place"}).err


def test_a_noexec_file_system_is_refused(file: Path, place: Path) -> None:
    require_mounts()
    place.mkdir()
    run = start(file, env={"RR_UNPACK": str(place)}, before=f"mount -t tmpfs -o noexec,mode=0755 none {place}")
    assert (run.code, run.err) == (1, f"rr: can't unpack to RR_UNPACK={place}: it is mounted noexec\n")


def test_a_usable_folder_is_searched_and_all_refusals_are_named(file: Path, tmp_path: Path) -> None:
    require_mounts()
    closed = tmp_path / "closed"
    (closed / "pyroadrunner").mkdir(parents=True)
    (closed / "pyroadrunner").chmod(0o777)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {"XDG_CACHE_HOME": str(closed), "HOME": "/nonexistent", "TMPDIR": str(temporary)}
    read_only = "for f in /var/cache /tmp /var/tmp /dev/shm; do mount -t tmpfs -o noexec,mode=1777 none $f; done"
    kept = f"mkdir -p /run/kept; mount --bind {tmp_path} /run/kept"
    moved = {name: value.replace(str(tmp_path), "/run/kept") for name, value in env.items()}
    run = start(Path("/run/kept/rr"), env=moved, before=f"mount -t tmpfs none /run; {kept}; {read_only}")
    assert run.started, run.err  # the second place will do
    (temporary / f"pyroadrunner-{os.geteuid()}").chmod(0o777)
    run = start(Path("/run/kept/rr"), env=moved, before=f"mount -t tmpfs none /run; {kept}; {read_only}")
    assert run.code == 1
    assert run.err.startswith("rr: there is no folder to unpack to:\n  /run/kept/closed/pyroadrunner: other users may")
    assert f"/dev/shm/pyroadrunner-{os.geteuid()}: it is mounted noexec\n" in run.err
    assert run.err.endswith("that is not mounted noexec\n")


def test_twelve_first_starts_at_once_all_succeed(tmp_path: Path, place: Path) -> None:
    file = write_file(tmp_path / "rr", files=500)
    command = [str(file), "--version"]
    env = {"RR_UNPACK": str(place)}
    processes = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(12)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 12
    assert all("argument --version\n" in out for out in outputs)
    assert len(list((place / digest_of(file) / "lib").iterdir())) == 502


def test_a_start_that_is_killed_half_way_does_no_harm(tmp_path: Path, place: Path) -> None:
    file = write_file(tmp_path / "rr", files=6000)
    home, part = place / digest_of(file), place / f".part-{digest_of(file)}"
    process = subprocess.Popen([file], env={"RR_UNPACK": str(place)}, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (part / "lib" / "module9.pyc").exists() and not home.exists():
        assert time.monotonic() < deadline
    process.kill()
    process.wait()
    assert not home.exists(), "it was not killed half way"
    assert part.exists()
    assert start(file, env={"RR_UNPACK": str(place)}).started
    assert not part.exists()
    assert len(list((home / "lib").iterdir())) == 6002


def test_a_full_disk_is_reported_and_nothing_is_left(tmp_path: Path, place: Path) -> None:
    require_mounts()
    file = write_file(tmp_path / "rr", files=500)
    place.mkdir()
    check = f"mount -t tmpfs -o size=400k,mode=0755 none {place}; trap 'ls -A {place}' EXIT; \"$@\"; exit"
    run = start(file, env={"RR_UNPACK": str(place)}, before=check)
    assert run.code == 1
    assert ": No space left on device\n" in run.err
    assert run.out == ".lock\n"


def test_a_limit_on_the_size_of_files_is_reported_in_the_same_way(file: Path, place: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    done = subprocess.run([file], env={"RR_UNPACK": str(place)}, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.endswith(": File too large\n")
    assert [path.name for path in place.iterdir()] == [".lock"]


def test_a_damaged_archive_is_reported(file: Path, place: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-64 - 20] ^= 0xFF
    file.write_bytes(data)
    run = start(file, env={"RR_UNPACK": str(place)})
    assert (run.code, run.out) == (1, "")
    assert run.err == "rr: the archive in this file is damaged: please download it again\n"
    assert [path.name for path in place.iterdir()] == [".lock"]


def test_an_incomplete_file_is_reported(file: Path, place: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])
    run = start(file, env={"RR_UNPACK": str(place)})
    assert (run.code, run.err) == (1, f"rr: {file} is not complete: please download it again\n")


def test_an_old_version_is_removed_unless_it_runs(tmp_path: Path, place: Path) -> None:
    files = [write_file(tmp_path / f"rr{version}", version=version) for version in ("1", "2", "3")]
    idle, running, new = (place / digest_of(one) for one in files)
    env = {"RR_UNPACK": str(place)}
    assert start(files[0], env=env).started
    (place / ".part-of-a-killed-one").mkdir()
    (place / "notes").write_text("of the user")
    assert start(files[1], env=env).started
    assert not idle.exists()
    with subprocess.Popen(
        ["flock", "--shared", str(running), "sh", "-c", "echo held; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "held\n"
        assert start(files[2], env=env).started
        assert running.exists()
        user.communicate("\n", timeout=30)
    assert sorted(path.name for path in place.iterdir()) == sorted([".lock", "notes", running.name, new.name])


def test_a_running_process_holds_its_version(tmp_path: Path, place: Path) -> None:
    file = write_file(tmp_path / "rr")
    env = {"RR_UNPACK": str(place)}
    assert start(file, env=env).started
    script = place / digest_of(file) / "bin" / "rr"
    script.write_text("#!/bin/sh\necho up\nread line\n")
    with subprocess.Popen([file], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert start(write_file(tmp_path / "new", version="2"), env=env).started
        assert script.exists()
        process.communicate("\n", timeout=30)


def test_an_image_unpacks_at_its_build_for_every_user(file: Path, place: Path) -> None:
    run = start(file, "--unpack", str(place), env={})
    home = place / digest_of(file)
    assert (run.code, run.err) == (0, "")
    assert run.out == f"unpacked to {home}; start with RR_UNPACK={place}\n"
    assert place.stat().st_mode & 0o777 == 0o755
    assert start(file, "--unpack", str(place), env={}).code == 0  # again
    place.chmod(0o555)
    assert start(file, env={"RR_UNPACK": str(place)}).started


@pytest.mark.skipif(os.geteuid() != 0, reason="starting as another user needs root")
def test_a_folder_of_root_will_do_where_it_can_not_be_written(public: Path) -> None:
    file, place = write_file(public / "rr"), public / "place"
    assert start(file, "--unpack", str(place), env={}).code == 0
    run = start(file, env={"RR_UNPACK": str(place)}, user=NOBODY)
    assert run.started, run.err
    other = start(write_file(public / "new", version="2"), env={"RR_UNPACK": str(place)}, user=NOBODY)
    assert (other.code, other.err) == (1, f"rr: can't unpack to RR_UNPACK={place}: Permission denied\n")


def test_unpack_needs_a_folder(file: Path) -> None:
    assert start(file, "--unpack", env={}).err == "rr: name a folder: rr --unpack FOLDER\n"


def test_closed_standard_descriptors_stay_usable(file: Path, place: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{file}" >&- 2>&- <&-; echo "code $?"'],
        env={"RR_UNPACK": str(place)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "code 0\n"
