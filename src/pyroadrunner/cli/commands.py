"""Every command and flag of ``rr``, as data: the parser, the help and the completion read it."""

from __future__ import annotations

from pyroadrunner.cli.flags import Command, Flag

# RoadRunner's own (rpc-cli-config.md, section 2.1), down to the capitals of --WorkDir.
SHARED = (
    Flag(name="config", short="c", value="FILE", help="config file (default .rr.yaml)"),
    Flag(name="WorkDir", short="w", value="DIR", help="work in this folder; FILE is then relative to it"),
    Flag(name="dotenv", value="FILE", help="put the variables of a dotenv file into the environment first"),
    Flag(name="debug", short="d", help="debug server on http://127.0.0.1:6061/debug/"),
    Flag(name="silent", short="s", help="print no lines of our own; logs are not affected"),
    Flag(name="enable-experimental", short="e", help="let `envfile` of the config be read, and HTTP/3 be served"),
    Flag(name="override", short="o", value="KEY=VALUE", many=True, help="set a key of the config; may be repeated"),
    Flag(name="pid", short="p", help="write the process id to .pid, where `rr stop` finds it"),
    Flag(name="force", short="f", help="with stop: stop at once"),
    Flag(name="version", short="v", help="print the version"),
    Flag(name="help", short="h", help="print this help"),
)

_JSON = Flag(name="json", help="print JSON")

# First word of commands that have two, and what they are about.
GROUPS = {
    "config": "look at the config",
    "kv": "read and change key-value storages of a running server",
    "lock": "show and release named locks of a running server",
}

COMMANDS = (
    Command(
        words=("serve",),
        arguments="[WORKER]",
        most=1,
        help="start the server; with a worker.php or worker.py no config is needed",
        flags=(
            Flag(
                name="watch", many=True, help="new workers when a file changes; --watch=src,config watches only these"
            ),
        ),
        example="rr serve worker.php",
    ),
    Command(
        words=("stop",),
        help="stop the server whose .pid is here, or that the config names, and wait until it has ended",
        flags=(
            Flag(name="no-wait", help="return once it was asked"),
            Flag(name="timeout", value="DURATION", help="wait no longer, and exit 2 (default: as long as it takes)"),
        ),
        example="rr stop --timeout 1m",
    ),
    Command(
        words=("workers",),
        arguments="[PLUGIN...]",
        most=None,
        help="show the workers of a running server",
        flags=(Flag(name="interactive", short="i", help="keep the table up to date"), _JSON),
        example="rr workers -i http",
    ),
    Command(
        words=("reset",),
        arguments="[PLUGIN...]",
        most=None,
        help="replace the workers of a running server; no request fails",
        flags=(_JSON,),
        example="rr reset http",
    ),
    Command(
        words=("reload",),
        help="let a running server read its config again; shows what has changed and what needs a restart",
        flags=(Flag(name="check", help="only show what would change"), _JSON),
        example="rr reload --check",
    ),
    Command(
        words=("doctor",),
        help="look at all a server needs: PHP, limits, ports, config, workers, brokers",
        flags=(_JSON,),
    ),
    Command(words=("config", "check"), help="list everything that is wrong with the config", flags=(_JSON,)),
    Command(
        words=("config", "show"),
        help="print the config as the server sees it, and where each value comes from",
        flags=(_JSON, Flag(name="reveal", help="show secrets")),
    ),
    Command(words=("config", "schema"), help="print the JSON Schema of the config"),
    Command(words=("kv", "list"), help="list the key-value storages of a running server", flags=(_JSON,)),
    Command(
        words=("kv", "get"),
        arguments="STORAGE KEY...",
        most=None,
        help="print values",
        flags=(_JSON,),
        example="rr kv get cache user:7",
    ),
    Command(
        words=("kv", "set"),
        arguments="STORAGE KEY VALUE",
        most=3,
        help="store a value; - is read from stdin",
        flags=(Flag(name="ttl", value="DURATION", help="how long it is kept (default: for ever)"),),
        example="rr kv set cache greeting hello --ttl 10m",
    ),
    Command(
        words=("kv", "delete"),
        arguments="STORAGE KEY...",
        most=None,
        help="delete keys",
        flags=(_JSON,),
    ),
    Command(words=("kv", "ttl"), arguments="STORAGE KEY...", most=None, help="show when keys expire", flags=(_JSON,)),
    Command(words=("kv", "clear"), arguments="STORAGE", most=1, help="delete everything in a storage"),
    Command(words=("lock", "list"), help="show who holds the named locks of a running server", flags=(_JSON,)),
    Command(
        words=("lock", "release"),
        arguments="RESOURCE...",
        most=None,
        help="take locks away from whoever holds them",
        flags=(_JSON,),
        example="rr lock release report",
    ),
    Command(
        words=("php-library",),
        help="print the folder of the PHP library; workers find it in RR_PHP_LIBRARY",
        example="ls $(rr php-library)/src",
    ),
    Command(
        words=("completion",),
        arguments="bash|zsh|fish",
        most=1,
        help="print the script that completes commands and flags in a shell",
        example='eval "$(rr completion bash)"',
    ),
    Command(words=("help",), arguments="[COMMAND]", most=None, help="print the help of a command"),
)
