"""Values with the name of a secret are masked."""

from __future__ import annotations

import pytest

from pyroadrunner.config.secrets import is_secret, masked


@pytest.mark.parametrize("key", ["password", "secret", "token", "key", "DB_PASSWORD", "auth-token", "api.key"])
def test_a_secret_is_recognised_by_its_name(key: str) -> None:
    assert is_secret(("server", "env", key))


@pytest.mark.parametrize("key", ["address", "keyboard", "monkey", "tokenizer", "passenger", ""])
def test_other_names_are_not_secrets(key: str) -> None:
    assert not is_secret((key,))


def test_secret_strings_are_masked_at_every_level() -> None:
    value = {"password": "x", "empty": {"secret": ""}, "list": [{"token": "x", "n": 1}], "key": 5, "keys": ["a"]}
    assert masked(value, ()) == {
        "password": "***",
        "empty": {"secret": ""},
        "list": [{"token": "***", "n": 1}],
        "key": 5,
        "keys": ["***"],
    }


def test_a_password_in_a_url_is_masked() -> None:
    assert masked("amqp://guest:pw@127.0.0.1:5672/", ("addr",)) == "amqp://guest:***@127.0.0.1:5672/"
    assert masked("tcp://127.0.0.1:6001", ("listen",)) == "tcp://127.0.0.1:6001"
