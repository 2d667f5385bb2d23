"""Whether P4Info and device config are of the same program.

What is checked here is relied on from then on: an entry is written where the program's key
is, in the form that P4Info gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bmv2.embedded.codegen.arrays import indirect_meters
from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.codegen.value_sets import number_value_sets
from bmv2.embedded.p4runtime.schema import Action, Bits, MatchType, Schema, Table
from bmv2.embedded.program.model import Action as ProgramAction
from bmv2.embedded.program.model import Program
from bmv2.embedded.program.model import Table as ProgramTable

_BY_WIDTH = (MatchType.LPM, MatchType.RANGE)
"""Matches whose widths are part of what they say."""


def misfits(program: Program, schema: Schema) -> Iterator[str]:
    """What P4Info has and the program has not, or has otherwise."""
    tables = {table.name: table for table in program.tables()}
    for table in schema.tables.values():
        if table.name in tables:
            for each in _table_misfits(program, tables[table.name], schema, table):
                yield f"table {table.name}: {each}"
    yield from _array_misfits(program, schema)
    value_sets = number_value_sets(program)
    for value_set in schema.value_sets.values():
        numbers = value_sets.get(value_set.name)
        if numbers is None or not _have_words(value_set.fields, numbers.widths):
            yield f"value set {value_set.name}"
    sizes = {digest.name: len(digest.fields) for digest in program.digests.values()}
    for digest in schema.digests.values():
        if sizes.get(digest.name, digest.type.size) != digest.type.size:
            yield f"digest {digest.name}"


def _table_misfits(
    program: Program, table: ProgramTable, schema: Schema, described: Table
) -> Iterator[str]:
    kinds = [_kind(field.match_kind) for field in table.key]
    widths = [field.width for field in table.key]
    if kinds != [_kind(field.match_type.value) for field in described.fields] or not _have_words(
        described.fields, widths
    ):
        yield "its key"
    for field, width in zip(described.fields, widths, strict=False):
        is_narrow_optional = field.match_type is MatchType.OPTIONAL and field.width < width
        if is_narrow_optional or (field.match_type in _BY_WIDTH and field.width != width):
            yield f"field {field.name} has {width} bits"
    actions = {program.actions[each].name: program.actions[each] for each in table.actions}
    for action in described.actions.values():
        if not _is_same(action, actions):
            yield f"action {action.name}"
    profile = schema.action_profiles.get(described.implementation_id)
    if (profile.name if profile else None) != table.profile:
        yield f"action profile {table.profile}"
    if described.direct_counter_id is not None and not table.has_counters:
        yield "a direct counter"
    if described.direct_meter is not None and table.direct_meter is None:
        yield "a direct meter"
    if described.supports_idle_timeout and not table.has_timeout:
        yield "an idle timeout"


def _array_misfits(program: Program, schema: Schema) -> Iterator[str]:
    registers = {
        each.name: (each.size, word_count(each.width)) for each in program.registers.values()
    }
    for register in schema.registers.values():
        if registers.get(register.name) != (register.size, word_count(register.type.width)):
            yield f"register {register.name}"
    counters = {name: counter.size for name, counter in program.counters.items()}
    for counter in schema.counters.values():
        if counters.get(counter.name) != counter.size:
            yield f"counter {counter.name}"
    meters = {name: meter.size for name, meter in indirect_meters(program).items()}
    for meter in schema.meters.values():
        if meters.get(meter.name) != meter.size:
            yield f"meter {meter.name}"


def _kind(name: str) -> str:
    """p4c makes optional fields ternary ones."""
    return "ternary" if name == "optional" else name


def _is_same(action: Action, actions: Mapping[str, ProgramAction]) -> bool:
    found = actions.get(action.name)
    return found is not None and _have_words(
        action.params, [parameter.width for parameter in found.parameters]
    )


def _have_words(described: Sequence[Bits], widths: Sequence[int]) -> bool:
    """Whether values take the room that the program has for them.

    They may be of other widths: P4Info has that of a type that is translated.
    """
    return [word_count(each.width) for each in described] == [word_count(each) for each in widths]
