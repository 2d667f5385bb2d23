"""How wide the parts of keys and digests are."""

from __future__ import annotations

from collections.abc import Mapping

from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import (
    Constant,
    Expression,
    FieldRef,
    Operation,
    StackFieldRef,
    StackRef,
    UnionStackFieldRef,
)
from bmv2.embedded.program.model import Header, HeaderType, Lookahead, Program, Stack


def part_width(program: Program, part: Expression | Lookahead) -> int:
    """The bits of a part. Raises UnsupportedProgram for what has no width."""
    match part:
        case Lookahead(_, width):
            return width
        case FieldRef(_, "$valid$"):
            return 1
        case FieldRef(header, field) if header in program.headers:
            return _field_width(program.headers[header].type, field)
        case StackFieldRef(stack, field) if stack in program.stacks:
            return _field_width(program.stacks[stack].type, field)
        case UnionStackFieldRef(stack, member, field) if stack in program.union_stacks:
            union = program.unions[program.union_stacks[stack].unions[0]]
            return _field_width(program.headers[union.members[member]].type, field)
        case Constant(value):
            return max(1, value.bit_length())
        case _:
            raise UnsupportedProgram(f"{type(part).__name__} is used as a key or in a digest")


def _field_width(header_type: HeaderType, name: str) -> int:
    field = header_type.field(name)
    if field is None:
        raise UnsupportedProgram(f"no field {name!r} in header type {header_type.name}")
    return field.width


def field_width(
    source: Expression, headers: Mapping[str, Header], stacks: Mapping[str, Stack]
) -> int:
    """The bits of a field that is a key or an input. Raises UnsupportedProgram."""
    match source:
        case FieldRef(_, "$valid$"):
            return 1
        case FieldRef(name, field_name):
            header = headers.get(name)
            field = header.type.field(field_name) if header else None
            if field is None:
                raise UnsupportedProgram(f"no field {name}.{field_name}")
            return field.width
        case Operation(
            "access_field",
            (Operation("dereference_header_stack", (StackRef(name), _)), Constant(place)),
        ) if name in stacks and 0 <= place < len(stacks[name].type.fields):
            return stacks[name].type.fields[place].width
        case _:
            raise UnsupportedProgram("a key that is no field")
