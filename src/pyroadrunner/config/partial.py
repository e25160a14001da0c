"""Models of which each key may be left out: what is not set is taken from a whole one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec.structs import replace

Model = TypeVar("Model", bound=msgspec.Struct)


class Partial(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Some keys of the model ``whole``: a subclass names that, and has its fields, each with ``None`` for "not set".
    A field that is a struct there is a ``Partial`` here."""

    whole: ClassVar[type[msgspec.Struct]]

    def over(self, base: Model) -> Model:
        """``base`` with what is set here put over it.

        Args:
            base: of the type ``whole``.
        """
        changes: dict[str, Any] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Partial):
                value = value.over(getattr(base, name) or value.whole())
            if value is not None:
                changes[name] = value
        return replace(base, **changes)

    def faults(self) -> Iterable[tuple[str, str]]:
        """Those of the whole model, of the keys that are set."""
        check = getattr(self.over(self.whole()), "faults", None)
        return check() if callable(check) else ()
