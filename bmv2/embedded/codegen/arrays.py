"""Registers, counters and meters as C."""

from __future__ import annotations

from collections.abc import Sequence

from bmv2.embedded.codegen.storage import storage_type
from bmv2.embedded.program.externs import Meter
from bmv2.embedded.program.model import Program


def indirect_meters(program: Program) -> dict[str, Meter]:
    """The meters that are arrays, by name."""
    return {name: each for name, each in program.meters.items() if each.direct_table is None}


def arrays(program: Program) -> str:
    """The arrays, and their descriptors for the runtime."""
    lines: list[str] = []
    registers: list[str] = []
    for number, register in enumerate(program.registers.values()):
        kind = storage_type(max(register.width, 33))
        name = f"register_{number}"
        lines.append(f"static {kind} {name}[{register.size + 1}];")
        registers.append(f"{{{name}, {register.size}, sizeof {name}[0], {register.width}}}")
    counters: list[str] = []
    for number, counter in enumerate(program.counters.values()):
        lines.append(f"static struct counter counter_{number}[{counter.size + 1}];")
        counters.append(f"{{counter_{number}, {counter.size}}}")
    meters: list[str] = []
    for number, meter in enumerate(indirect_meters(program).values()):
        lines.append(f"static struct meter meter_{number}[{meter.size + 1}];")
        meters.append(f"{{meter_{number}, {meter.size}}}")
    return "\n".join(
        [
            *lines,
            _descriptors("register", registers),
            _descriptors("counter", counters),
            _descriptors("meter", meters),
        ]
    )


def _descriptors(kind: str, items: Sequence[str]) -> str:
    listed = ", ".join([*items, "{0}"])
    return f"static const struct {kind}_array {kind}s[] = {{{listed}}};"
