"""Whether a program is made of what its classes say: the JSON says nothing of types."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import Constant, Operation
from bmv2.embedded.program.model import Program, Table

MAX_WIDTH = 1 << 16
"""Of a number, in bits. p4c itself has no bound, but no computation ends then."""

_MAX_SIZE = (1 << 31) - 1
# Fields that are not just any integer, wherever they are.
_BOUNDS = {
    "width": (0, MAX_WIDTH),
    "key_width": (0, MAX_WIDTH),
    "offset": (0, MAX_WIDTH),
    "size": (0, _MAX_SIZE),
    "index": (0, _MAX_SIZE),
}
_CASTS = ("two_comp_mod", "sat_cast", "usat_cast")


def check_program(program: Program) -> None:
    """Raises UnsupportedProgram, with the place in the program and what is there."""
    _check(program, Program, "the program")
    for stack in program.stacks.values():
        if any(program.headers[each].type != stack.type for each in stack.headers):
            raise UnsupportedProgram(f"stack {stack.name} has headers of different types")
    for table in program.tables():
        _check_entries(program, table)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _check(value: object, hint: Any, where: str) -> None:
    """A value against a type, and all that is in it against theirs."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        hint = _alternative(value, arguments, where)
        origin, arguments = get_origin(hint), get_args(hint)
    if not isinstance(value, origin or hint) or (isinstance(value, bool) and hint is int):
        raise UnsupportedProgram(f"the JSON is not as p4c writes it: {where} is {value!r}")
    if isinstance(value, Mapping):
        for key, each in value.items():
            _check(key, arguments[0], where)
            _check(each, arguments[1], f"{where} {key}")
    elif isinstance(value, tuple):
        for each in value:
            _check(each, arguments[0], where)
    elif is_dataclass(value):
        _check_fields(value, where)


def _alternative(value: object, alternatives: tuple[Any, ...], where: str) -> Any:
    for each in alternatives:
        if isinstance(value, get_origin(each) or each):
            return each
    raise UnsupportedProgram(f"the JSON is not as p4c writes it: {where} is {value!r}")


def _check_fields(value: Any, where: str) -> None:
    name = getattr(value, "name", None)
    inside = f"{type(value).__name__.lower()} {name}" if isinstance(name, str) else where
    hints = _hints(type(value))
    for field in fields(value):
        content, place = getattr(value, field.name), f"{inside}: {field.name}"
        _check(content, hints[field.name], place)
        low, high = _BOUNDS.get(field.name, (0, 0))
        if field.name in _BOUNDS and isinstance(content, int) and not low <= content <= high:
            raise UnsupportedProgram(f"{place} is {content}, not {low} to {high}")
    if isinstance(value, Operation) and value.operator in _CASTS:
        match value.operands[-1]:
            case Constant(width) if 1 <= width <= MAX_WIDTH:
                pass
            case other:
                raise UnsupportedProgram(f"{where}: a cast to a width of {other}")


def _check_entries(program: Program, table: Table) -> None:
    """What the program itself puts into a table has the room that it needs."""
    for entry in table.entries:
        for match, field in zip(entry.key, table.key, strict=True):
            if match.first >> field.width or match.second >> max(field.width, 32):
                raise UnsupportedProgram(f"table {table.name}: an entry exceeds {field.name}")
            if match.match_kind == "lpm" and not 0 <= match.second <= field.width:
                raise UnsupportedProgram(f"table {table.name}: a prefix of {match.second} bits")
    defaults = () if table.default is None else (table.default,)
    for entry in (*table.entries, *defaults):
        parameters = program.actions[entry.action_id].parameters
        if len(entry.arguments) != len(parameters) or any(
            argument >> parameter.width
            for argument, parameter in zip(entry.arguments, parameters, strict=True)
        ):
            raise UnsupportedProgram(f"table {table.name}: arguments that an action cannot have")
