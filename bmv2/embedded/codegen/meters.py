"""What meters do with packets, as C."""

from __future__ import annotations

from dataclasses import dataclass

from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.places import FieldPlace
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.externs import Meter
from bmv2.embedded.program.model import Program, Table


def execute(meter: Meter, cell: str, target: FieldPlace) -> str:
    """C that puts the colour of a packet into a field; `cell` is a pointer to the meter."""
    cost = "c->ingress_length" if meter.counts_bytes else "1"
    color = f"meter_execute({cell}, c->now_ns, {cost})"
    if target.field.width < 2:
        color = f"{color} & {(1 << target.field.width) - 1}"
    elif target.field.width > 128:
        color = f"wide_of_u({color})"
    return f"{target.text} = {color};"


@dataclass(frozen=True, slots=True)
class DirectMeter:
    """The meter of a table's entries, and the field that it colours."""

    meter: Meter
    target: FieldPlace

    def on_hit(self) -> str:
        """C of what the meter of the entry `e` does; without one all is green."""
        return f"{{ struct meter none = {{0}}; {self._execute('e->meter ? e->meter : &none')} }}"

    def on_miss(self) -> str:
        """C of what the meter of misses of the table `t` does.

        BMv2 has none: where it is not configured, the field stays as it is.
        """
        return f"if (t->default_meter.is_configured) {self._execute('&t->default_meter')}"

    def _execute(self, cell: str) -> str:
        return execute(self.meter, cell, self.target)


def direct_meter(program: Program, expressions: Expressions, table: Table) -> DirectMeter | None:
    """The direct meter of a table, if it has one. Raises UnsupportedProgram."""
    if table.direct_meter is None:
        return None
    meter = program.meters.get(table.direct_meter)
    if meter is None or meter.result is None:
        raise UnsupportedProgram(f"table {table.name}: no direct meter {table.direct_meter!r}")
    return DirectMeter(meter, expressions.places.field(meter.result))
