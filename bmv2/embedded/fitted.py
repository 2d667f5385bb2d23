"""P4Info with the widths that values have in the program.

A type that is translated (@p4runtime_translation) may be wider for the controller than for
the program. Values are taken and given as they are, so one that the program has no room for
is refused, like any other that is too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bmv2.embedded.codegen.value_sets import number_value_sets
from bmv2.embedded.p4runtime.data_type import BitsType
from bmv2.embedded.p4runtime.schema import Action, Bits, Register, Schema, Table
from bmv2.embedded.program.model import Program

_Bits = TypeVar("_Bits", bound=Bits)


def fitted(program: Program, schema: Schema) -> Schema:
    """A P4Info that has no misfits, with no value wider than the program's."""
    parameters = {
        action.name: [parameter.width for parameter in action.parameters]
        for action in program.actions.values()
    }
    keys = {table.name: [field.width for field in table.key] for table in program.tables()}
    sets = number_value_sets(program)
    return replace(
        schema,
        tables={
            number: _table(table, keys.get(table.name, ()), parameters)
            for number, table in schema.tables.items()
        },
        action_profiles={
            number: replace(profile, actions=_actions(profile.actions, parameters))
            for number, profile in schema.action_profiles.items()
        },
        registers={
            number: _register(register, program.registers[register.name].width)
            for number, register in schema.registers.items()
        },
        value_sets={
            number: replace(each, fields=_narrowed(each.fields, sets[each.name].widths))
            for number, each in schema.value_sets.items()
        },
        packet_in=_header(program, schema.packet_in),
        packet_out=_header(program, schema.packet_out),
    )


def _table(table: Table, key: Sequence[int], parameters: Mapping[str, Sequence[int]]) -> Table:
    # Of a table that the compiler has left out nothing is known.
    fields = _narrowed(table.fields, key) if key else table.fields
    return replace(table, fields=fields, actions=_actions(table.actions, parameters))


def _actions(
    actions: Mapping[int, Action], parameters: Mapping[str, Sequence[int]]
) -> Mapping[int, Action]:
    return {
        number: replace(action, params=_narrowed(action.params, parameters[action.name]))
        if action.name in parameters
        else action
        for number, action in actions.items()
    }


def _register(register: Register, width: int) -> Register:
    is_wider = isinstance(register.type, BitsType) and register.type.width > width
    return replace(register, type=replace(register.type, width=width)) if is_wider else register


def _header(program: Program, fields: Sequence[Bits]) -> tuple[Bits, ...]:
    """The fields as the program's header has them that has fields of these names."""
    names = [field.name for field in fields]
    found = {
        tuple(field.width for field in header.type.fields)
        for header in program.headers.values()
        if [field.name for field in header.type.fields] == names
    }
    return _narrowed(fields, *found) if len(found) == 1 else tuple(fields)


def _narrowed(fields: Iterable[_Bits], widths: Iterable[int]) -> tuple[_Bits, ...]:
    return tuple(
        replace(field, width=width) if field.width > width else field
        for field, width in zip(fields, widths, strict=True)
    )
