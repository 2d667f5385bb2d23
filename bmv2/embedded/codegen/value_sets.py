"""Parser value sets as C: tables whose entries have no action."""

from __future__ import annotations

from dataclasses import dataclass

from bmv2.embedded.codegen.names import comment
from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.program.model import Program
from bmv2.embedded.program.widths import part_width


@dataclass(frozen=True, slots=True)
class ValueSetNumbers:
    """What a set is called in C, and the widths of its fields in bits."""

    number: int
    widths: tuple[int, ...]

    @property
    def words(self) -> int:
        """The 64-bit words of a member."""
        return sum(word_count(width) for width in self.widths)


def number_value_sets(program: Program) -> dict[str, ValueSetNumbers]:
    """The value sets by name. Raises UnsupportedProgram.

    The fields of a set are those of the select expressions that it is used in: the JSON
    says only how many bits they have together.
    """
    widths: dict[str, tuple[int, ...]] = {
        name: (each.key_width,) for name, each in program.value_sets.items()
    }
    for state in program.parser.states.values():
        for transition in state.transitions:
            if transition.value_set in widths:
                parts = tuple(part_width(program, part) for part in state.key)
                widths[transition.value_set] = parts
    return {name: ValueSetNumbers(place, each) for place, (name, each) in enumerate(widths.items())}


def value_sets(program: Program) -> str:
    """`value_sets[]`, all empty."""
    entries = [
        f"  {{.kind = TABLE_TERNARY, .key_words = {numbers.words}}}, {comment(name)}"
        for name, numbers in number_value_sets(program).items()
    ]
    return "\n".join(
        [
            f"#define VALUE_SET_COUNT {len(entries)}",
            "static struct table value_sets[VALUE_SET_COUNT + 1] = {",
            *entries,
            "  {0}};",
        ]
    )
