"""Models with only optional keys; unset keys are taken from a whole model. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec.structs import replace

Model = TypeVar("Model", bound=msgspec.Struct)


class Partial(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Some keys of the model ``whole``. A subclass names that model and has its fields, each with ``None`` for "not
    set". A field that is a struct in ``whole`` is a ``Partial`` here."""

    whole: ClassVar[type[msgspec.Struct]]

    def over(self, base: Model) -> Model:
        """A copy of ``base`` with the set keys replaced.

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
        """The errors of the whole model with the set keys."""
        check = getattr(self.over(self.whole()), "faults", None)
        return check() if callable(check) else ()
