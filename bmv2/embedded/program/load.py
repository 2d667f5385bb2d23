"""From the JSON of p4c to a program."""

from __future__ import annotations

from bmv2.embedded.errors import MALFORMED, UnsupportedProgram
from bmv2.embedded.program.check import check_program
from bmv2.embedded.program.document import Object, objects, parse_document
from bmv2.embedded.program.model import Program
from bmv2.embedded.program.read_externs import (
    read_calculations,
    read_checksums,
    read_counters,
    read_field_lists,
    read_meters,
    read_registers,
)
from bmv2.embedded.program.read_headers import (
    read_headers,
    read_stacks,
    read_union_stacks,
    read_unions,
)
from bmv2.embedded.program.read_parser import read_parser, read_value_sets
from bmv2.embedded.program.read_pipeline import read_actions, read_pipelines, read_primitives


def load_program(text: bytes) -> Program:
    """The program of a JSON text.

    Raises UnsupportedProgram when it is none, or has a construct that is not known.
    """
    document = parse_document(text)
    try:
        program = _program(document)
        check_program(program)
    except MALFORMED as error:
        raise UnsupportedProgram(
            f"the JSON is not as p4c writes it: {type(error).__name__} {error}"
        ) from error
    return program


def _program(document: Object) -> Program:
    for item in objects(document, "extern_instances"):
        raise UnsupportedProgram(f"extern {item.get('type')!r} is no part of v1model")
    headers = read_headers(document)
    stacks = read_stacks(document, headers)
    deparsers = list(objects(document, "deparsers"))
    return Program(
        headers=headers,
        stacks=stacks,
        unions=read_unions(document),
        union_stacks=read_union_stacks(document),
        errors=dict(document.get("errors", ())),
        parser=read_parser(document),
        value_sets=read_value_sets(document),
        deparser=tuple(deparsers[0]["order"]) if deparsers else (),
        deparser_primitives=read_primitives(deparsers[0]) if deparsers else (),
        actions=read_actions(document),
        pipelines=read_pipelines(document, headers, stacks),
        calculations=read_calculations(document, headers, stacks),
        checksums=read_checksums(document),
        registers=read_registers(document),
        counters=read_counters(document),
        meters=read_meters(document),
        field_lists=read_field_lists(document, "field_lists"),
        digests=read_field_lists(document, "learn_lists"),
    )
