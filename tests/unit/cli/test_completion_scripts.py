"""The completion scripts know every command and flag of the tables."""

from __future__ import annotations

import re

import pytest

from pyroadrunner.cli.command_table import COMMANDS, GROUPS
from pyroadrunner.cli.completion import SHELLS, script
from pyroadrunner.cli.flags import Command

FISH = script("fish").splitlines()
HEADS = list(dict.fromkeys(command.words[0] for command in COMMANDS))


def offered(condition: str) -> list[str]:
    """Words that fish offers under a condition."""
    found = [re.fullmatch(r"complete -c rr -n (.+?) -a (\S+)( -d .*)?", line) for line in FISH]
    return [match[2] for match in found if match and match[1] == condition]


def test_every_group_is_described() -> None:
    assert list(GROUPS) == list(dict.fromkeys(command.words[0] for command in COMMANDS if len(command.words) > 1))


def test_fish_offers_every_first_word_once() -> None:
    assert offered("__fish_use_subcommand") == HEADS


@pytest.mark.parametrize("group", GROUPS)
def test_fish_offers_the_words_of_a_group_until_one_is_given(group: str) -> None:
    words = [command.words[1] for command in COMMANDS if command.words[0] == group and len(command.words) > 1]
    condition = f"'__fish_seen_subcommand_from {group}; and not __fish_seen_subcommand_from {' '.join(words)}'"
    assert offered(condition) == words


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_fish_offers_flags_only_to_their_command(command: Command) -> None:
    condition = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.words)
    lines = [line for line in FISH if line.startswith(f"complete -c rr -n '{condition}' ") and " -l " in line]
    assert [line.split(" -l ")[1].split()[0] for line in lines] == [flag.name for flag in command.flags]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_knows_every_word_and_flag(shell: str) -> None:
    text = script(shell)
    for command in COMMANDS:
        for word in (*command.words, *(flag.name for flag in command.flags)):
            assert re.search(rf"\b{word}\b", text), (shell, command.words, word)
