"""Puts the C of a whole program together. The runtime is around and below it."""

from __future__ import annotations

from bmv2.embedded.codegen.arrays import arrays
from bmv2.embedded.codegen.calculations import Calculations
from bmv2.embedded.codegen.deparser import deparser, max_header_bytes
from bmv2.embedded.codegen.digests import digests
from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.headers import header_functions
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.parser import ParserCode
from bmv2.embedded.codegen.pipelines import PipelineCode, actions
from bmv2.embedded.codegen.places import VALID
from bmv2.embedded.codegen.statements import Statements
from bmv2.embedded.codegen.storage import MAX_PACKET_BYTES
from bmv2.embedded.codegen.tables import Tables
from bmv2.embedded.codegen.value_sets import value_sets
from bmv2.embedded.errors import MALFORMED, UnsupportedProgram
from bmv2.embedded.program.expression import FieldRef
from bmv2.embedded.program.model import Program

_STANDARD_FIELDS = (
    "ingress_port",
    "egress_spec",
    "egress_port",
    "instance_type",
    "packet_length",
    "enq_timestamp",
    "enq_qdepth",
    "deq_timedelta",
    "deq_qdepth",
    "ingress_global_timestamp",
    "egress_global_timestamp",
    "mcast_grp",
    "egress_rid",
    "checksum_error",
    "parser_error",
    "priority",
)


def generate(program: Program) -> str:
    """One C translation unit. Raises UnsupportedProgram, with the construct's name."""
    try:
        return _translation_unit(program)
    except MALFORMED as error:
        raise UnsupportedProgram(
            f"the program refers to what it does not have: {type(error).__name__} {error}"
        ) from error


def _translation_unit(program: Program) -> str:
    layout = Layout(program)
    expressions = Expressions(layout)
    calculations = Calculations(program, layout, expressions)
    tables = Tables(program, expressions, calculations)

    def expressions_for(parameters: list[tuple[str, int]]) -> Expressions:
        return Expressions(layout, parameters)

    def statements_for(own: Expressions) -> Statements:
        return Statements(program, layout, own, calculations)

    definitions = layout.definitions()
    parser = ParserCode(program, layout, expressions, statements_for(expressions))
    parts = [
        '#include "numbers.h"',
        definitions,
        *_standard_metadata(layout),
        f"#define MAX_PACKET_BYTES {MAX_PACKET_BYTES}u",
        f"#define MAX_HEADER_BYTES {max_header_bytes(program, layout)}",
        '#include "context.h"',
        '#include "log.h"',
        '#include "hash.h"',
        '#include "meter.h"',
        '#include "profile.h"',
        '#include "table.h"',
        arrays(program),
        value_sets(program),
        header_functions(program, layout),
        calculations.functions(),
        calculations.checksums(),
        parser.function(),
        deparser(program, layout, statements_for(expressions)),
        actions(program, expressions_for, statements_for),
        tables.definitions(),
        tables.functions(),
    ]
    parts += [
        PipelineCode(program, pipeline, tables, expressions).function()
        for pipeline in program.pipelines.values()
    ]
    parts += [
        _reset_metadata(program, layout),
        _copy_lists(program, layout),
        digests(program, expressions),
        '#include "switch.h"',
        "",
    ]
    # Last: only now it is known what numbers there are.
    return "\n".join([f"#define WIDE_LIMBS {layout.wide_limbs()}", *parts])


def _standard_metadata(layout: Layout) -> list[str]:
    """`STANDARD_x`: the fields of the standard metadata for the runtime."""
    lines: list[str] = []
    for name in _STANDARD_FIELDS:
        try:
            place = layout.standard(name).removeprefix("c")
            lines.append(f"#define STANDARD_{name.upper()}(c) (c){place}")
        except UnsupportedProgram as error:
            raise UnsupportedProgram(f"the program is not for v1model: {error}") from error
    header_type = layout.type_of("standard_metadata")
    port_width = layout.field_of(header_type, "egress_port").width
    lines.append(f"#define PORT_MASK MASK64({port_width})")
    lines.append(
        f"#define DROP_PORT {_drop_port(layout.field_of(header_type, 'egress_spec').width)}"
    )
    return lines


def _drop_port(width: int) -> int:
    """BMv2's drop port; it is 511, the largest value of egress_spec."""
    return (1 << min(width, 9)) - 1


def _reset_metadata(program: Program, layout: Layout) -> str:
    """`reset_metadata(c)`: all metadata zero, headers as they are."""
    lines = ["static void reset_metadata(struct context *c) {"]
    for header in program.headers.values():
        if header.is_metadata:
            place = layout.header(header.name)
            lines.append(f"  memset(&{place}, 0, sizeof {place});")
    return "\n".join([*lines, "}"])


def _copy_lists(program: Program, layout: Layout) -> str:
    """`copy_fields(to, from, list)`: what a clone or a recirculated packet keeps."""
    lines = [
        "static void copy_fields(struct context *target, const struct context *source,",
        "                        uint32_t list) {",
        "  (void)target, (void)source;",
        "  switch (list) {",
    ]
    expressions = Expressions(layout)
    for field_list in program.field_lists.values():
        lines.append(f"  case {field_list.id}:")
        for field in field_list.fields:
            if not isinstance(field, FieldRef):
                raise UnsupportedProgram(f"field list {field_list.name}: not a field")
            place = (
                f"{layout.header(field.header)}.valid"
                if field.field == VALID
                else expressions.places.field(field).text
            ).removeprefix("c->")
            lines.append(f"    target->{place} = source->{place};")
        lines.append("    break;")
    return "\n".join([*lines, "  default: break;", "  }", "}"])
