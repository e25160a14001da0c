"""``jobs.Declare``: a flat map of strings -> the model of a pipeline, checked like one of the config. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import inspect

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader, fields_of, plain_type, suggest
from pyroadrunner.plugins.jobs.config import MODELS, Pipeline
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo
from pyroadrunner.plugins.jobs.errors import BadDeclaration

_PIPELINE_KEYS = ("concurrency", "max_attempts", "dead_letter")  # those that are not the driver's
_COMPOUND = (inspect.DictType, inspect.ListType, inspect.StructType, inspect.AnyType)


def read_declaration(driver: str, info: DriverInfo, values: Mapping[str, str]) -> Pipeline:
    """The model of a declared pipeline. Keys that the driver does not have are ignored, as in RoadRunner.

    Args:
        values: all strings; numbers are decimal, and maps and lists are JSON texts.

    Raises:
        BadDeclaration: a value can't be read, or one is missing.
    """
    fields = fields_of(info.config)
    given = {key: value for key, value in info.declared(values).items() if key in fields}
    config = {key: _value(key, fields[key], value) for key, value in given.items()}
    entry = {"config": config, **{key: values[key] for key in _PIPELINE_KEYS if key in values}}
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="jobs.Declare"))
    pipeline = reader.read(MODELS[driver], entry, ())
    if not isinstance(pipeline, Pipeline):
        raise BadDeclaration(
            "; ".join(f"{fault.path.removeprefix('config.')} {fault.message}" for fault in reader.faults)
        )
    return pipeline


def unknown_driver(driver: str, known: Mapping[str, DriverInfo]) -> BadDeclaration:
    """The error for a driver that is not installed."""
    hint = suggest(driver, known) or f"known are {', '.join(known)}"
    return BadDeclaration(f"no such driver: {driver}; {hint}")


def _value(key: str, field: inspect.Field, value: Any) -> Any:
    """A JSON text as the map or list that it is."""
    if (
        not isinstance(value, str)
        or not isinstance(plain_type(field.type)[0], _COMPOUND)
        or value[:1] not in ("[", "{")
    ):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise BadDeclaration(f"{key} is no JSON: {error}") from error
