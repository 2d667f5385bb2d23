"""The short names of STF files, and what they mean in P4Info."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from bmv2.embedded.p4runtime.schema import Action, MatchField, Table
from bmv2.stf.errors import StfError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Object = TypeVar("_Object", bound=_Named)


def find(objects: Iterable[_Object], kind: str, name: str) -> _Object:
    """The object with this name or, alone, with this end of its name. Raises StfError."""
    every = list(objects)
    for each in every:
        if each.name == name:
            return each
    found = [each for each in every if each.name.endswith(name)]
    if len(found) != 1:
        raise StfError(f"{'no' if not found else 'more than one'} {kind} {name!r}")
    return found[0]


def find_field(table: Table, name: str) -> MatchField:
    """A field of a table's key; `stack$0` stands for `stack[0]`. Raises StfError."""
    name = re.sub(r"\$(\d+)", r"[\1]", name)
    if name == "valid" or name.endswith(".valid"):
        name = name.removesuffix("valid") + "isValid()"
    for field in table.fields:
        if field.name.replace("$valid$", "isValid()") == name:
            return field
    return find(table.fields, f"field of {table.name}", f".{name}")


def find_action(table: Table, name: str) -> Action:
    """An action of a table. Raises StfError."""
    return find(table.actions.values(), f"action of {table.name}", name)
