"""Digests as C: what the controller gets of a packet."""

from __future__ import annotations

from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.places import VALID
from bmv2.embedded.codegen.storage import word_count, word_type
from bmv2.embedded.program.expression import Expression, FieldRef
from bmv2.embedded.program.externs import FieldList
from bmv2.embedded.program.model import Program
from bmv2.embedded.program.widths import part_width


def field_widths(program: Program, digest: FieldList) -> tuple[int, ...]:
    """The widths of a digest's fields, in bits."""
    return tuple(part_width(program, field) for field in digest.fields)


def digests(program: Program, expressions: Expressions) -> str:
    """`digest_fields(c, w)`: the fields of the packet's digest as words, the count of words."""
    sizes = [
        sum(word_count(width) for width in field_widths(program, digest))
        for digest in program.digests.values()
    ]
    lines = [
        f"#define DIGEST_WORDS {max(sizes, default=0)}",
        "static uint32_t digest_fields(const struct context *c, uint64_t *w) {",
        "  (void)w;",
        "  switch (c->digest_list) {",
    ]
    for digest, size in zip(program.digests.values(), sizes, strict=True):
        lines.append(f"  case {digest.id}: {{")
        place = 0
        for field, width in zip(digest.fields, field_widths(program, digest), strict=True):
            lines.append(f"    {_put(expressions, field, width, place)}")
            place += word_count(width)
        lines += [f"    return {size};", "  }"]
    return "\n".join([*lines, "  default: return 0;", "  }", "}"])


def _put(expressions: Expressions, field: Expression, width: int, place: int) -> str:
    if isinstance(field, FieldRef) and field.field == VALID:
        return f"w[{place}] = {expressions.boolean(field)};"
    value, kind = expressions.stored(field, width), word_type(width)
    if kind == "uint64_t":
        return f"w[{place}] = {value};"
    size = 8 * word_count(width)
    return f"{{ const {kind} v = {value}; memcpy(w + {place}, &v, {size}); }}"
