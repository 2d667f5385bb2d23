"""What the benchmark prints and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from experiments.spread import Spread

BARE, EMBEDDED, SIMPLE_SWITCH = "bare loop", "embedded", "simple_switch"


@dataclass(frozen=True)
class Quantity:
    """What is measured: one row of the table."""

    name: str
    unit: str
    is_rate: bool
    """Whether more is better."""

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name}, {self.unit}"


class Results:
    """The spreads of all quantities on all switches."""

    def __init__(self) -> None:
        """Empty."""
        self._rows: dict[Quantity, dict[str, Spread]] = {}

    def add(self, quantity: Quantity, switch: str, spread: Spread) -> None:
        """Notes what was measured on a switch."""
        self._rows.setdefault(quantity, {})[switch] = spread

    def has(self, switch: str) -> bool:
        """Whether anything was measured on a switch."""
        return any(switch in row for row in self._rows.values())

    def table(self) -> Table:
        """Medians and spreads; and by how many times the embedded switch is better."""
        shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        shown.add_column("median ± half the range", no_wrap=True)
        switches = [name for name in (BARE, EMBEDDED, SIMPLE_SWITCH) if self.has(name)]
        for name in switches:
            shown.add_column(name, justify="right", no_wrap=True)
        shown.add_column("× BMv2", justify="right")
        shown.add_column("÷ loop", justify="right")
        for quantity, row in self._rows.items():
            cells = [_cell(row[name]) if name in row else "" for name in switches]
            factors = (gain(quantity, row, SIMPLE_SWITCH), gain(quantity, row, BARE))
            shown.add_row(quantity.label, *cells, *map(_factor, factors))
        return shown

    def as_json(self) -> list[dict[str, Any]]:
        """The same, ready for JSON."""
        return [
            {
                "name": quantity.name,
                "unit": quantity.unit,
                "switches": {name: asdict(spread) for name, spread in row.items()},
                "times_simple_switch": gain(quantity, row, SIMPLE_SWITCH),
                "of_bare_loop": gain(quantity, row, BARE),
            }
            for quantity, row in self._rows.items()
        ]


def gain(quantity: Quantity, row: Mapping[str, Spread], than: str) -> float | None:
    """How many times better the embedded switch is; None where there is nothing to compare."""
    if EMBEDDED not in row or than not in row:
        return None
    ours, theirs = row[EMBEDDED].median, row[than].median
    better, worse = (ours, theirs) if quantity.is_rate else (theirs, ours)
    return better / worse if worse else None


def _cell(spread: Spread) -> str:
    bound = "≥ " if spread.is_bound else ""
    if not spread.median:
        return f"{bound}{_number(spread.median)}"
    half_range = (spread.most - spread.least) / 2 / spread.median
    return f"{bound}{_number(spread.median)} ±{half_range:.0%}"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:.3g} k" if value < 1e6 else f"{value / 1e6:.3g} M"
    return f"{value:.3g}"


def _factor(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}" if value < 10 else f"{value:.0f}"
