"""Tables as C: their descriptors, their keys, and the choice of the action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bmv2.embedded.codegen.calculations import Calculations
from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.keys import KeyLayout, key_layout
from bmv2.embedded.codegen.meters import direct_meter
from bmv2.embedded.codegen.names import comment
from bmv2.embedded.codegen.profiles import Profiles
from bmv2.embedded.codegen.storage import constant, data_words, wide_constant, word_count, word_type
from bmv2.embedded.codegen.trace import step, step_number, step_numbers
from bmv2.embedded.program.expression import FieldRef
from bmv2.embedded.program.model import KeyField, Program, Table


@dataclass(frozen=True, slots=True)
class TableNumbers:
    """What a table is called in C, how its key lies there, and the room for arguments."""

    number: int
    key: KeyLayout
    data_words: int


def is_fixed(table: Table) -> bool:
    """Whether a table is the compiler's own: it always does the same, and nobody can see it."""
    return (
        table.name.startswith("tbl_")
        and not table.key
        and len(table.actions) == 1
        and (table.default is None or (table.default.is_const and not table.default.arguments))
        and not table.has_counters
        and table.direct_meter is None
    )


def number_tables(program: Program) -> dict[str, TableNumbers]:
    """The tables that the controller can see, by name. Raises UnsupportedProgram."""
    numbers: dict[str, TableNumbers] = {}
    for table in program.tables():
        key = key_layout(table.name, table.key)
        words = [data_words(program.actions[each]) for each in table.actions]
        if table.profile is not None:
            words.append(1)  # what an entry names
        if not is_fixed(table):
            numbers[table.name] = TableNumbers(len(numbers), key, max(words, default=0))
    return numbers


class Tables:
    """Writes the tables of a program."""

    def __init__(
        self, program: Program, expressions: Expressions, calculations: Calculations
    ) -> None:
        self._program = program
        self._expressions = expressions
        self._calculations = calculations
        self._profiles = Profiles(program)
        self.numbers = number_tables(program)

    def definitions(self) -> str:
        """`tables[]` and `profiles[]`, with what is known of each at compile time."""
        lines: list[str] = []
        entries: list[str] = []
        for table, numbers in self._numbered():
            words = ", ".join(map(str, numbers.key.range_words)) or "0"
            lines.append(f"static const uint8_t {_range_words(numbers)}[] = {{{words}}};")
            entries.append(
                f"  {{.kind = {numbers.key.kind.value}, .key_words = {numbers.key.words}, "
                f".data_words = {numbers.data_words}, "
                f".range_words = {_range_words(numbers)}, .size = {table.size}}}, "
                f"{comment(table.name)}"
            )
        lines.append(f"#define TABLE_COUNT {len(entries)}")
        lines.append("static struct table tables[TABLE_COUNT + 1] = {")
        return "\n".join([*lines, *entries, "  {0}};", self._profiles.definitions()])

    def _numbered(self) -> Iterator[tuple[Table, TableNumbers]]:
        for table in self._program.tables():
            if table.name in self.numbers:
                yield table, self.numbers[table.name]

    def functions(self) -> str:
        """`table_N(c, &hit)`: looks up, runs the action; the action's id."""
        return "\n".join(self._function(table, numbers) for table, numbers in self._numbered())

    def _function(self, table: Table, numbers: TableNumbers) -> str:
        lines = [
            f"static inline uint32_t table_{numbers.number}(struct context *c, bool *hit) {{"
            f" {comment(table.name)}",
            f"  struct table *const t = &tables[{numbers.number}];",
        ]
        lines += self._find(table, numbers)
        lines += [
            "  *hit = e != NULL;",
            f"  if (e) {step_number(f'table {table.name}: hit, entry ', 'e->handle')}",
            f"  else {step(f'table {table.name}: miss')}",
            "  uint32_t action; const uint64_t *data;",
            "  if (e) {",
        ]
        lines += [f"    {line}" for line in self._on_hit(table)]
        lines += ["  } else {", "    action = t->default_action; data = t->default_data;"]
        lines += [f"    {line}" for line in self._on_miss(table)]
        lines += ["  }", "  switch (action) {"]
        for number, own in sorted(self._actions(table).items()):
            renamed = "" if number == own else f"action = {own}; "
            lines.append(f"  case {number}: action_{own}(c, data); {renamed}break;")
        lines += ["  default: break;", "  }", "  return action;", "}"]
        return "\n".join(lines)

    def _on_hit(self, table: Table) -> list[str]:
        if table.profile is None:
            lines = ["action = e->action; data = entry_data(t, e);"]
        else:
            selector = self._profiles.of(table).selector
            hash_text = self._calculations.call(selector.name) if selector else None
            lines = self._profiles.choose(table, hash_text)
        if table.has_counters:
            lines.append("e->packets++; e->bytes += c->ingress_length;")
        if table.has_timeout:
            lines.append("e->hit_ns = c->now_ns;")
        meter = direct_meter(self._program, self._expressions, table)
        if meter is not None:
            lines.append(meter.on_hit())
        return lines

    def _on_miss(self, table: Table) -> list[str]:
        lines: list[str] = []
        if table.has_counters:
            lines.append("t->default_packets++; t->default_bytes += c->ingress_length;")
        meter = direct_meter(self._program, self._expressions, table)
        if meter is not None:
            lines.append(meter.on_miss())
        return lines

    def _actions(self, table: Table) -> dict[int, int]:
        """The actions that a lookup can give, each with the table's own copy of it."""
        numbers = {each: each for each in table.actions}
        if table.default is not None:
            numbers[table.default.action_id] = table.default.action_id
        return numbers if table.profile is None else numbers | self._profiles.actions(table)

    def _find(self, table: Table, numbers: TableNumbers) -> list[str]:
        key = numbers.key
        if not table.key:
            return ["  struct entry *const e = NULL;"]
        fields = [(field.name, self._value(field), field.width) for field in key.fields]
        lines = [f"  {step_numbers(f'table {table.name}: key ', fields)}"]
        words = [text for field in key.fields for text in self._words(field)]
        lines.append(f"  uint64_t key[{key.words}];")
        lines += [f"  key[{place}] = {text};" for place, text in enumerate(words)]
        ranges = _range_words(numbers) if any(key.range_words) else "NULL"
        call = f"table_find(t, key, {key.kind.value}, {key.words}, {ranges})"
        return [*lines, f"  struct entry *const e = {call};"]

    def _words(self, field: KeyField) -> list[str]:
        """A key field as 64-bit words, the lowest first."""
        value, kind = self._value(field), word_type(field.width)
        if kind == "uint64_t":
            return [value]
        if kind == "u128":
            return [f"(uint64_t)({value})", f"(uint64_t)((u128)({value}) >> 64)"]
        return [f"({value}).limb[{each}]" for each in range(word_count(field.width))]

    def _value(self, field: KeyField) -> str:
        """A key field, after its mask."""
        value = self._expressions.stored(field.source, field.width)
        if isinstance(field.source, FieldRef) and field.source.field == "$valid$":
            value = self._expressions.boolean(field.source)
        if field.mask is None:
            return value
        if word_type(field.width) == "struct wide":
            return f"wide_and({value}, {wide_constant(field.mask)})"
        return f"({value} & {constant(field.mask)})"


def _range_words(numbers: TableNumbers) -> str:
    return f"range_words_{numbers.number}"
