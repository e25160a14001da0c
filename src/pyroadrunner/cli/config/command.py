"""``rr config``: look at the config without starting anything. Each function prints and returns the exit code."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace

from pyroadrunner.cli.config import render
from pyroadrunner.config.check import Checked, absent, doubtful
from pyroadrunner.config.check import check as check_config
from pyroadrunner.config.effective import effective
from pyroadrunner.config.errors import ConfigError, Fault
from pyroadrunner.config.load import LoadOptions, load
from pyroadrunner.config.models import section_models


def check(options: LoadOptions, *, as_json: bool) -> int:
    """Print every fault and warning of the config. A key nobody reads is a fault here, a warning in ``rr serve``; what
    the config names is looked for, too.

    Returns:
        0 when there is no fault (warnings do not count), else 1.
    """
    try:
        raw = load(options)
        checked = check_config(raw, section_models())
        with redirect_stdout(sys.stderr):  # a module may print when it is imported
            missing, doubts = absent(raw, checked), doubtful(raw, checked)
    except ConfigError as wrong:
        checked, missing, doubts = Checked(sections={}, faults=wrong.faults, warnings=[]), [], []
    unknown = [warning for warning in checked.warnings if warning.kind == "unknown"]
    faults = sorted([*checked.faults, *missing, *unknown], key=_place)
    warnings = [warning for warning in [*checked.warnings, *doubts] if warning.kind != "unknown"]
    if as_json:
        print(render.faults_json(faults, warnings, checked.sections))
    else:
        print(render.faults_text(faults, warnings, len(checked.sections)))
    return 1 if faults else 0


def show(options: LoadOptions, *, as_json: bool, reveal: bool) -> int:
    """Print the effective config: every value and where it comes from.

    A config with faults is shown as far as it can be read; the faults go to stderr.

    Args:
        reveal: print secrets instead of ``***``.

    Returns:
        0, or 1 when the config has faults.
    """
    try:
        models = section_models()
        raw = load(replace(options, require_version=False))
    except ConfigError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    checked = check_config(raw, models)
    leaves = effective(raw, checked, models, reveal=reveal)
    print(render.show_json(leaves) if as_json else render.show_yaml(leaves))
    if checked.faults:
        print(ConfigError(checked.faults), file=sys.stderr)
        return 1
    return 0


def schema() -> int:
    """Print the JSON Schema of ``.rr.yaml`` with the sections of every installed plugin."""
    from pyroadrunner.config.jsonschema import json_schema  # parses source: only this command pays for it

    print(json.dumps(json_schema(section_models()), indent=2, ensure_ascii=False))
    return 0


def _place(fault: Fault) -> tuple[str, int]:
    """Faults are read from top to bottom of a file, next to the editor."""
    return (fault.origin.source, fault.origin.line or 0) if fault.origin else ("", 0)
