"""The short names of STF files, and what they mean in P4Info."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar

from bmv2.embedded.p4runtime.schema import Action, MatchField, Table
from bmv2.stf.errors import StfError

_VALID = "isValid()"


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Object = TypeVar("_Object", bound=_Named)


def find(objects: Iterable[_Object], kind: str, name: str) -> _Object:
    """The object of this name; else the only one whose name ends so. Raises StfError.

    Whole parts of a name (`t1` in `ingress.t1`) go before parts of words (`1`).
    """
    every = list(objects)
    for found in (
        [each for each in every if each.name == name],
        [each for each in every if each.name.endswith(f".{name}")],
        [each for each in every if each.name.endswith(name)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(each.name for each in found)
            raise StfError(f"more than one {kind} {name!r}: {names}")
    raise StfError(f"no {kind} {name!r}")


def find_field(table: Table, name: str) -> MatchField:
    """A field of a table's key. Raises StfError.

    `stack$0` stands for `stack[0]`, and a header's name with or without `valid` for its
    validity, which P4Info calls `isValid()`, or `$valid$` in programs that were P4_14.
    """
    name = _canonical(name)
    for wanted in (name, f"{name}.{_VALID}"):
        for ending in (wanted, f".{wanted}"):
            for field in table.fields:
                known = _canonical(field.name)
                if known == wanted or (ending != wanted and known.endswith(ending)):
                    return field
    raise StfError(f"no field of {table.name} {name!r}")


def _canonical(name: str) -> str:
    name = re.sub(r"\$(\d+)", r"[\1]", name)
    return re.sub(r"(^|\.)(\$?valid\$?)$", rf"\1{_VALID}", name)


def find_action(table: Table, name: str) -> Action:
    """An action of a table. Raises StfError."""
    return find(table.actions.values(), f"action of {table.name}", name)
