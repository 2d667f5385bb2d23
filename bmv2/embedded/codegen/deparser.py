"""The deparser as C functions."""

from __future__ import annotations

from bmv2.embedded.codegen.headers import emit_name
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.statements import Statements
from bmv2.embedded.codegen.trace import step
from bmv2.embedded.program.model import Program


def deparser(program: Program, layout: Layout, statements: Statements) -> str:
    """`deparse_statements`, what is done first; `deparse`: writes all valid headers in order,
    and gives the count of bytes."""
    lines = ["static void deparse_statements(struct context *c) {"]
    lines += [f"  {line}" for line in statements.block(program.deparser_primitives)]
    lines += ["  (void)c;", "}"]
    lines += [
        "static uint32_t deparse(const struct context *c, uint8_t *p) {",
        "  uint32_t at = 0;",
    ]
    for name in deparsed_headers(program):
        header_type = layout.type_of(name)
        place = layout.header(name)
        lines += [
            f"  if ({place}.valid) {{",
            f"    {step(f'deparsed {name}')}",
            f"    at += {emit_name(layout, header_type)}(p + at, &{place});",
            "  }",
        ]
    lines += ["  (void)c, (void)p;", "  return at;", "}"]
    return "\n".join(lines)


def deparsed_headers(program: Program) -> list[str]:
    """The headers that the deparser emits, in order."""
    names: list[str] = []
    for name in program.deparser:
        if name in program.stacks:
            names += program.stacks[name].headers
        elif name in program.unions:
            names += program.unions[name].members.values()
        elif name in program.union_stacks:
            for union in program.union_stacks[name].unions:
                names += program.unions[union].members.values()
        else:
            names.append(name)
    return names


def max_header_bytes(program: Program, layout: Layout) -> int:
    """The most bytes that the deparser can write."""
    types = [layout.type_of(name) for name in deparsed_headers(program)]
    bits = sum(field.width for header_type in types for field in header_type.fields)
    return bits // 8 + 8
