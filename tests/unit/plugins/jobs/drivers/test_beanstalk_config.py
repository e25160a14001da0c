"""Settings of the driver ``beanstalk``."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.beanstalk.config import DRIVER, BeanstalkConfig, BeanstalkSection
from pyroadrunner.plugins.jobs.errors import BadDeclaration


def test_what_the_php_package_declares() -> None:
    values = {"tube_priority": "10", "tube": "default", "reserve_timeout": "5", "consume_all": "false", "priority": "3"}
    found = read_declaration("beanstalk", DRIVER, values).config
    assert found == BeanstalkConfig(tube_priority=10, reserve_timeout=5.0, priority=3)


def test_a_declared_duration_with_a_unit() -> None:
    assert read_declaration("beanstalk", DRIVER, {"reserve_timeout": "500ms"}).config == BeanstalkConfig(
        reserve_timeout=0.5
    )


@pytest.mark.parametrize("tube", ["", "-x", "a b", "a\r\nb", "x" * 201, "ключ"])
def test_names_that_are_no_tube(tube: str) -> None:
    with pytest.raises(BadDeclaration, match="tube is not a valid name"):
        read_declaration("beanstalk", DRIVER, {"tube": tube})


def test_a_priority_that_beanstalkd_does_not_have() -> None:
    with pytest.raises(BadDeclaration, match="tube_priority"):
        read_declaration("beanstalk", DRIVER, {"tube_priority": "-1"})


def test_an_address_without_a_port() -> None:
    assert [key for key, _ in BeanstalkSection(addr="tcp://localhost").faults()] == ["addr"]
    assert list(BeanstalkSection(addr="127.0.0.1:11300").faults()) == []
    assert list(BeanstalkSection(addr="unix:///run/beanstalkd.sock").faults()) == []
