"""``rr config``: check and show the config without starting the server. Each function prints and returns the exit
code."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace

from pyroadrunner.cli.config import render
from pyroadrunner.cli.console import coloured, complain
from pyroadrunner.config.check import Checked, absent, doubtful
from pyroadrunner.config.check import check as check_config
from pyroadrunner.config.effective import effective
from pyroadrunner.config.errors import ConfigError, Fault
from pyroadrunner.config.load import LoadOptions, load
from pyroadrunner.config.models import section_models


def check(options: LoadOptions, *, as_json: bool) -> int:
    """Print all errors and warnings of the config. An unknown key is an error here but a warning in ``rr serve``. Files
    that the config names must exist.

    Returns:
        0 if there are no errors (warnings do not count), else 1.
    """
    try:
        raw = load(options)
        checked = check_config(raw, section_models())
        with redirect_stdout(sys.stderr):  # a module may print on import
            missing, doubts = absent(raw, checked), doubtful(raw, checked)
    except ConfigError as wrong:
        checked, missing, doubts = Checked(sections={}, faults=wrong.faults, warnings=[]), [], []
    unknown = [warning for warning in checked.warnings if warning.kind == "unknown"]
    faults = sorted([*checked.faults, *missing, *unknown], key=_place)
    warnings = [warning for warning in [*checked.warnings, *doubts] if warning.kind != "unknown"]
    if as_json:
        print(render.faults_json(faults, warnings, checked.sections))
    else:
        print(render.faults_text(faults, warnings, len(checked.sections), coloured=coloured()))
    return 1 if faults else 0


def show(options: LoadOptions, *, as_json: bool, reveal: bool) -> int:
    """Print the effective config: all values and their sources.

    A config with errors is shown as far as it can be read; the errors go to stderr.

    Args:
        reveal: print secrets instead of ``***``.

    Returns:
        0, or 1 if the config has errors.
    """
    try:
        models = section_models()
        raw = load(replace(options, require_version=False))
    except ConfigError as wrong:
        complain(str(wrong))
        return 1
    checked = check_config(raw, models)
    leaves = effective(raw, checked, models, reveal=reveal)
    print(render.show_json(leaves) if as_json else render.show_yaml(leaves, coloured=coloured()))
    if checked.faults:
        complain(str(ConfigError(checked.faults)))
        return 1
    return 0


def schema() -> int:
    """Print the JSON Schema of ``.rr.yaml``, including the sections of all installed plugins."""
    from pyroadrunner.config.jsonschema import json_schema  # slow, parses source: only this command needs it

    print(json.dumps(json_schema(section_models()), indent=2, ensure_ascii=False))
    return 0


def _place(fault: Fault) -> tuple[str, int]:
    """Sort key: source, then line, so that errors are in the order of the file."""
    return (fault.origin.source, fault.origin.line or 0) if fault.origin else ("", 0)
