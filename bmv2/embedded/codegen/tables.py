"""Tables as C: their descriptors, their keys, and the choice of the action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.names import comment
from bmv2.embedded.codegen.storage import WORD, constant, wide_constant, word_count, word_type
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import FieldRef
from bmv2.embedded.program.model import Action, KeyField, Program, Table


@dataclass(frozen=True, slots=True)
class TableNumbers:
    """What a table is called in C, and how much room its parts take."""

    number: int
    key_words: int
    data_words: int


def is_fixed(table: Table) -> bool:
    """Whether a table always does its default action, and nobody can see it."""
    return not table.key and table.name.startswith("tbl_")


def data_words(action: Action) -> int:
    """The 64-bit words of an action's arguments."""
    return sum(word_count(parameter.width) for parameter in action.parameters)


def number_tables(program: Program) -> dict[str, TableNumbers]:
    """The tables that the controller can see, by name. Raises UnsupportedProgram."""
    numbers: dict[str, TableNumbers] = {}
    for table in program.tables():
        if table.kind != "simple":
            raise UnsupportedProgram(f"table {table.name}: an action profile")
        if table.direct_meter:
            raise UnsupportedProgram(f"table {table.name}: a direct meter")
        for field in table.key:
            if field.match_kind == "range" and field.width > WORD:
                raise UnsupportedProgram(f"table {table.name}: a range of {field.width} bits")
        if not is_fixed(table):
            numbers[table.name] = TableNumbers(
                len(numbers),
                sum(word_count(field.width) for field in table.key),
                max((data_words(program.actions[each]) for each in table.actions), default=0),
            )
    return numbers


class Tables:
    """Writes the tables of a program."""

    def __init__(self, program: Program, expressions: Expressions) -> None:
        self._program = program
        self._expressions = expressions
        self.numbers = number_tables(program)

    def descriptors(self) -> str:
        """`tables[]`, with what is known of each table at compile time."""
        lines: list[str] = []
        entries: list[str] = []
        for table, numbers in self._numbered():
            flags = [
                "1" if field.match_kind == "range" else "0"
                for field in table.key
                for _ in range(word_count(field.width))
            ]
            name = f"is_range_{numbers.number}"
            lines.append(f"static const uint8_t {name}[] = {{{', '.join(flags) or '0'}}};")
            has_ranges = "true" if "1" in flags else "false"
            is_exact = all(field.match_kind == "exact" for field in table.key)
            entries.append(
                f"  {{.key_words = {numbers.key_words}, .data_words = {numbers.data_words}, "
                f".is_range = {name}, .has_ranges = {has_ranges}, "
                f".has_one_tuple = {'true' if is_exact else 'false'}, "
                f".size = {table.size}}}, {comment(table.name)}"
            )
        lines.append(f"#define TABLE_COUNT {len(entries)}")
        lines.append("static struct table tables[TABLE_COUNT + 1] = {")
        return "\n".join([*lines, *entries, "  {0}};"])

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
            "  uint32_t action; const uint64_t *data;",
            "  if (e) {",
            "    action = e->action; data = entry_data(t, e);",
        ]
        if table.has_counters:
            lines.append("    e->packets++; e->bytes += c->ingress_length;")
        if table.has_timeout:
            lines.append("    e->hit_ns = c->now_ns;")
        lines += ["  } else {", "    action = t->default_action; data = t->default_data;"]
        if table.has_counters:
            lines.append("    t->default_packets++; t->default_bytes += c->ingress_length;")
        lines += ["  }", "  switch (action) {"]
        for number in sorted(self._actions(table)):
            lines.append(f"  case {number}: action_{number}(c, data); break;")
        lines += ["  default: break;", "  }", "  return action;", "}"]
        return "\n".join(lines)

    @staticmethod
    def _actions(table: Table) -> set[int]:
        numbers = set(table.actions)
        if table.default is not None:
            numbers.add(table.default.action_id)
        return numbers

    def _find(self, table: Table, numbers: TableNumbers) -> list[str]:
        if not table.key:
            return ["  struct entry *const e = NULL;"]
        lines = [f"  uint64_t key[{numbers.key_words}];"]
        place = 0
        for field in table.key:
            for text in self._words(field):
                lines.append(f"  key[{place}] = {text};")
                place += 1
        lines.append(f"  struct entry *const e = table_find(t, key, {numbers.key_words});")
        return lines

    def _words(self, field: KeyField) -> list[str]:
        """A key field, after its mask, as 64-bit words, the lowest first."""
        value = self._expressions.stored(field.source, field.width)
        if isinstance(field.source, FieldRef) and field.source.field == "$valid$":
            value = self._expressions.boolean(field.source)
        kind = word_type(field.width)
        if field.mask is not None:
            if kind == "struct wide":
                value = f"wide_and({value}, {wide_constant(field.mask)})"
            else:
                value = f"({value} & {constant(field.mask)})"
        if kind == "uint64_t":
            return [value]
        if kind == "u128":
            return [f"(uint64_t)({value})", f"(uint64_t)((u128)({value}) >> 64)"]
        return [f"({value}).limb[{each}]" for each in range(word_count(field.width))]
