"""All commands and flags of ``rr``, as data for the parser, the help and the completion."""

from __future__ import annotations

from pyroadrunner.cli.flags import Command, Flag

# The same as RoadRunner's (rpc-cli-config.md, section 2.1), including the capitals of --WorkDir.
SHARED = (
    Flag(name="config", short="c", value="FILE", help="config file (default .rr.yaml)"),
    Flag(name="WorkDir", short="w", value="DIR", help="work in this folder; FILE is then relative to it"),
    Flag(name="dotenv", value="FILE", help="put the variables of a dotenv file into the environment first"),
    Flag(name="debug", short="d", help="debug server on http://127.0.0.1:6061/debug/"),
    Flag(name="silent", short="s", help="print only the log, no other lines"),
    Flag(name="enable-experimental", short="e", help="enable experimental features: `envfile`, HTTP/3"),
    Flag(name="override", short="o", value="KEY=VALUE", many=True, help="set a key of the config; may be repeated"),
    Flag(name="pid", short="p", help="write the process id to .pid, where `rr stop` finds it"),
    Flag(name="force", short="f", help="with stop: stop immediately"),
    Flag(name="unpack", value="FOLDER", help="only the one file: unpack it there for all users, and exit"),
    Flag(name="version", short="v", help="print the version"),
    Flag(name="help", short="h", help="print this help"),
)

_JSON = Flag(name="json", help="print JSON")
_LIMIT = Flag(name="limit", value="NUMBER", help="look at no more jobs than this (default: 100)")

# First word and description of each group of two-word commands.
GROUPS = {
    "config": "check and show the config",
    "kv": "read and change key-value storages of a running server",
    "lock": "list and release named locks of a running server",
    "jobs": "control the queues of a running server, look at jobs, retry failed ones",
    "schedule": "show the scheduled entries of a running server and their runs, run one now",
    "websocket": "show and close the WebSocket connections of a running server, publish to their topics",
    "plugin": "install, list and remove plugins of the server",
}

COMMANDS = (
    Command(
        words=("serve",),
        arguments="[WORKER]",
        most=1,
        help="start the server; with a worker.php or worker.py no config is needed",
        flags=(
            Flag(
                name="watch",
                many=True,
                help="replace workers when a file changes; --watch=src,config limits the folders",
            ),
        ),
        example="rr serve worker.php",
    ),
    Command(
        words=("stop",),
        help="stop the server named by .pid or the config, and wait until it has exited",
        flags=(
            Flag(name="no-wait", help="return immediately after the stop request"),
            Flag(
                name="timeout",
                value="DURATION",
                help="exit with 2 if the server still runs after this time (default: no limit)",
            ),
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
        help="replace the workers of a running server without failing requests",
        flags=(_JSON,),
        example="rr reset http",
    ),
    Command(
        words=("reload",),
        help="reload the config of a running server; shows what has changed and what needs a restart",
        flags=(Flag(name="check", help="show what would change, without applying it"), _JSON),
        example="rr reload --check",
    ),
    Command(
        words=("doctor",),
        help="check everything the server needs: PHP, limits, ports, config, workers, brokers",
        flags=(_JSON,),
    ),
    Command(words=("config", "check"), help="list all errors and warnings of the config", flags=(_JSON,)),
    Command(
        words=("config", "show"),
        help="print the effective config and the source of each value",
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
        help="store a value; with - it is read from stdin",
        flags=(Flag(name="ttl", value="DURATION", help="lifetime of the value (default: no limit)"),),
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
    Command(words=("lock", "list"), help="list the named locks of a running server and their holders", flags=(_JSON,)),
    Command(
        words=("lock", "release"),
        arguments="RESOURCE...",
        most=None,
        help="release locks of any holder",
        flags=(_JSON,),
        example="rr lock release report",
    ),
    Command(
        words=("jobs",),
        arguments="[PIPELINE,...]",
        most=1,
        help="control pipelines with RoadRunner's flags",
        flags=(
            Flag(name="list", help="list pipelines"),
            Flag(name="pause", help="pause pipelines"),
            Flag(name="resume", help="resume pipelines"),
            Flag(name="destroy", help="destroy pipelines"),
        ),
        example="rr jobs --pause mails,reports",
    ),
    Command(words=("jobs", "list"), help="list the pipelines of a running server and their states", flags=(_JSON,)),
    Command(words=("jobs", "stats"), help="show how many jobs the pipelines have", flags=(_JSON,)),
    Command(
        words=("jobs", "pause"),
        arguments="PIPELINE...",
        most=None,
        help="receive no more jobs; pushing still works",
        example="rr jobs pause mails",
    ),
    Command(words=("jobs", "resume"), arguments="PIPELINE...", most=None, help="receive jobs again"),
    Command(
        words=("jobs", "destroy"),
        arguments="PIPELINE...",
        most=None,
        help="remove pipelines from the server; their jobs stay on the broker",
    ),
    Command(
        words=("jobs", "push"),
        arguments="PIPELINE JOB [PAYLOAD]",
        most=3,
        help="push a job and print its id; with - the payload is read from stdin",
        flags=(
            Flag(name="id", value="ID", help="id of the job (default: a random one)"),
            Flag(name="header", value="NAME=VALUE", many=True, help="a header; may be repeated"),
            Flag(name="delay", value="SECONDS", help="run the job later"),
            Flag(name="priority", value="NUMBER", help="lower numbers run first (default: the pipeline's)"),
            Flag(name="auto-ack", help="acknowledge the job before it runs"),
        ),
        example="""rr jobs push mails send-mail '{"to": "a@example.com"}' --delay 60""",
    ),
    Command(
        words=("jobs", "peek"),
        arguments="PIPELINE [ID...]",
        most=None,
        help="show jobs that wait on the broker",
        flags=(_LIMIT, _JSON),
    ),
    Command(
        words=("jobs", "failed"),
        arguments="[PIPELINE [ID...]]",
        most=None,
        help="show dead letters with their errors and attempts",
        flags=(_LIMIT, _JSON),
        example="rr jobs failed dead",
    ),
    Command(
        words=("jobs", "retry"),
        arguments="PIPELINE [ID...]",
        most=None,
        help="put dead letters back into the pipelines where they have failed",
        example="rr jobs retry dead",
    ),
    Command(
        words=("jobs", "purge"),
        arguments="PIPELINE [ID...]",
        most=None,
        help="delete jobs that wait on the broker",
        flags=(Flag(name="all", help="all jobs of the pipeline"),),
        example="rr jobs purge dead --all",
    ),
    Command(
        words=("schedule", "list"),
        help="list the entries of the schedule with their next and last runs",
        flags=(_JSON,),
    ),
    Command(
        words=("schedule", "next"),
        arguments="[ENTRY...]",
        most=None,
        help="show the times of the next runs",
        flags=(Flag(name="count", value="NUMBER", help="times of each entry (default: 5)"), _JSON),
        example="rr schedule next report --count 10",
    ),
    Command(
        words=("schedule", "history"),
        arguments="[ENTRY...]",
        most=None,
        help="show the last runs with their durations and outcomes",
        flags=(Flag(name="count", value="NUMBER", help="runs of each entry (default: 5)"), _JSON),
    ),
    Command(
        words=("schedule", "run"),
        arguments="ENTRY",
        most=1,
        help="run an entry now, and wait for its end",
        flags=(_JSON,),
        example="rr schedule run report",
    ),
    Command(
        words=("websocket", "list"),
        help="list the open connections",
        flags=(
            Flag(name="topic", value="TOPIC", help="only those that follow this topic"),
            Flag(name="user", value="NAME", help="only those of this user"),
            _JSON,
        ),
    ),
    Command(words=("websocket", "topics"), help="list the topics with their followers", flags=(_JSON,)),
    Command(
        words=("websocket", "publish"),
        arguments="TOPIC MESSAGE",
        most=2,
        help="publish a message to a topic",
        flags=(_JSON,),
        example="rr websocket publish news 'Hello, everyone!'",
    ),
    Command(
        words=("websocket", "disconnect"),
        arguments="[CONNECTION...]",
        most=None,
        help="close connections",
        flags=(
            Flag(name="user", value="NAME", help="all connections of this user"),
            Flag(name="code", value="NUMBER", help="close code: 1000 (default), 1008, 3000 to 4999"),
            Flag(name="reason", value="TEXT", help="reason that the client sees"),
        ),
        example="rr websocket disconnect --user ann --code 4001 --reason banned",
    ),
    Command(
        words=("plugin", "install"),
        arguments="NAME...",
        most=None,
        help="install plugins from the Python package index (wheels only)",
        flags=(
            Flag(name="from", value="FOLDER", help="use the wheels in this folder, and no network"),
            Flag(name="upgrade", help="replace installed plugins by their newest versions"),
        ),
        example="rr plugin install rr-plugin-spool",
    ),
    Command(
        words=("plugin", "list"), help="list the installed plugins and what they add to the server", flags=(_JSON,)
    ),
    Command(words=("plugin", "remove"), arguments="NAME...", most=None, help="remove plugins"),
    Command(
        words=("licenses",),
        help="list everything this installation consists of, with licences",
        flags=(Flag(name="full", help="with the texts of the licences"), _JSON),
    ),
    Command(
        words=("php-library",),
        help="print the folder of the PHP library (workers get it in RR_PHP_LIBRARY)",
        example="ls $(rr php-library)/src",
    ),
    Command(
        words=("completion",),
        arguments="bash|zsh|fish",
        most=1,
        help="print the completion script for a shell",
        example='eval "$(rr completion bash)"',
    ),
    Command(words=("help",), arguments="[COMMAND]", most=None, help="print the help of a command"),
)
