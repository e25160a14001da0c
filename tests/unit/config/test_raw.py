"""The raw config has its sections and the origins of their values."""

from __future__ import annotations

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.raw import RawConfig

ROOT = Origin(kind="file", source=".rr.yaml")


def at(line: int) -> Origin:
    return Origin(kind="file", source=".rr.yaml", line=line)


def test_a_section_is_present_unless_it_is_null() -> None:
    raw = RawConfig.from_dict({"metrics": None, "status": {}}, "built-in")
    assert not raw.present("metrics")
    assert raw.present("status")
    assert not raw.present("http")


def test_the_origin_of_an_absent_key_is_that_of_the_map_around_it() -> None:
    raw = RawConfig({}, {("http",): at(3), ("http", "pool"): at(5)}, root=ROOT)
    assert raw.origin(("http", "pool", "debug")) == at(5)
    assert raw.origin(("http", "address")) == at(3)
    assert raw.origin(("rpc",)) == ROOT


def test_a_config_from_a_dictionary_has_its_label_as_origin() -> None:
    raw = RawConfig.from_dict({"rpc": {}}, "rr serve worker.php")
    assert str(raw.origin(("rpc", "listen"))) == "rr serve worker.php"
    assert raw.notices == ()


def test_as_dict_returns_an_independent_copy() -> None:
    raw = RawConfig.from_dict({"rpc": {"listen": "x"}}, "built-in")
    raw.as_dict()["rpc"]["listen"] = "y"
    assert raw.data == {"rpc": {"listen": "x"}}


def test_its_repr_shows_file_and_sections() -> None:
    raw = RawConfig({"b": 1, "a": 2}, {}, root=ROOT, path="/app/.rr.yaml")
    assert repr(raw) == "RawConfig('/app/.rr.yaml', sections=['a', 'b'])"
