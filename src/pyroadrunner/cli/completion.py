"""Shell completion scripts for ``rr``, generated from the command tables. Pure. Arguments that are files complete as
files."""

from __future__ import annotations

from collections.abc import Iterator

from pyroadrunner.cli.command_table import COMMANDS, GROUPS, SHARED
from pyroadrunner.cli.flags import Command, Flag

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The completion script for one of ``SHELLS``."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _spellings(flags: tuple[Flag, ...]) -> list[str]:
    return [spelling for flag in flags for spelling in (f"--{flag.name}", *([f"-{flag.short}"] if flag.short else []))]


def _heads() -> list[str]:
    return list(dict.fromkeys(command.words[0] for command in COMMANDS))


def _below(head: str) -> list[str]:
    inner = [command.words[1] for command in COMMANDS if command.words[0] == head and len(command.words) > 1]
    return inner or list(SHELLS) if head == "completion" else inner


def _own_flags(head: str) -> list[str]:
    commands = [command for command in COMMANDS if command.words[0] == head]
    return list(dict.fromkeys(word for command in commands for word in _spellings(command.flags)))


def _cases() -> Iterator[str]:
    for head in _heads():
        if _below(head) or _own_flags(head):
            yield f'        {head}) words="{" ".join(_below(head))}"; flags="$flags {" ".join(_own_flags(head))}" ;;'


def _bash() -> str:
    flags = (*SHARED, *(flag for command in COMMANDS for flag in command.flags))
    takes_value = "|".join(_spellings(tuple(flag for flag in flags if flag.value)))
    return f"""\
_rr() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" command="" word skip=""
    local flags="{" ".join(_spellings(SHARED))}" words="{" ".join(_heads())}"
    COMPREPLY=()
    case "$previous" in {takes_value}) COMPREPLY=($(compgen -f -- "$current")); return ;; esac
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        if [ -n "$skip" ]; then skip=""; continue; fi
        case "$word" in
            {takes_value}) skip=1 ;;
            -*) ;;
            *) command="$word"; break ;;
        esac
    done
    case "$command" in
        "") ;;
{chr(10).join(_cases())}
        *) words="" ;;
    esac
    case "$current" in
        -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
        *) COMPREPLY=($(compgen -W "$words" -- "$current"))
           if [[ " serve migrate " = *" $command "* ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi ;;
    esac
}}
complete -o filenames -F _rr rr
"""


def _zsh() -> str:
    return f"#compdef rr\nautoload -U +X bashcompinit && bashcompinit\n{_bash()}"


def _fish() -> str:
    lines = ["complete -c rr -f"]
    lines += [f"complete -c rr -n __fish_use_subcommand -a {head} -d {_quoted(_about(head))}" for head in _heads()]
    for command in COMMANDS:
        lines += _fish_command(command)
    lines += [_fish_flag(flag, "") for flag in SHARED]
    lines += [f"complete -c rr {_seen(command)} -F" for command in ("serve", "migrate")]
    lines += [f"complete -c rr {_seen('completion')} -a {shell}" for shell in SHELLS]
    return "\n".join(lines) + "\n"


def _about(head: str) -> str:
    return GROUPS.get(head) or next(command.help for command in COMMANDS if command.words[0] == head)


def _fish_command(command: Command) -> Iterator[str]:
    """Completions for the second word of a command, if it has one, and for its flags."""
    head, *inner = command.words
    for word in inner:
        group = f"-n '__fish_seen_subcommand_from {head}; and not __fish_seen_subcommand_from {' '.join(_below(head))}'"
        yield f"complete -c rr {group} -a {word} -d {_quoted(command.help)}"
    for flag in command.flags:
        yield _fish_flag(flag, _seen(*command.words))


def _seen(*words: str) -> str:
    return f"-n '{'; and '.join(f'__fish_seen_subcommand_from {word}' for word in words)}'"


def _fish_flag(flag: Flag, condition: str) -> str:
    parts = ["complete -c rr", condition, f"-s {flag.short}" if flag.short else "", f"-l {flag.name}"]
    parts += ["-r -F" if flag.value in ("FILE", "DIR") else "-r" if flag.value else "", f"-d {_quoted(flag.help)}"]
    return " ".join(part for part in parts if part)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
