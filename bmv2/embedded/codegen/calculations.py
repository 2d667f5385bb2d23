"""Hashes and checksums as C functions over their inputs."""

from __future__ import annotations

from collections.abc import Sequence

from bmv2.embedded.codegen.expression import Expressions
from bmv2.embedded.codegen.headers import emit_name
from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.names import comment
from bmv2.embedded.codegen.storage import MAX_PACKET_BYTES, stores
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.expression import (
    Constant,
    Expression,
    FieldRef,
    HeaderRef,
    Operation,
)
from bmv2.embedded.program.externs import Calculation, HashInput
from bmv2.embedded.program.model import Program

# BMv2's custom CRCs can be given other parameters over Thrift only; they start as these.
_FUNCTIONS = {
    "crc32": "hash_crc32",
    "crc32_custom": "hash_crc32",
    "crc16": "hash_crc16",
    "crc16_custom": "hash_crc16",
    "crcCCITT": "hash_crc_ccitt",
    "csum16": "hash_csum16",
    "cksum16": "hash_csum16",
    "xor16": "hash_xor16",
    "identity": "hash_identity",
}


class Calculations:
    """The calculations of a program as C functions `calculation_N(c)`."""

    def __init__(self, program: Program, layout: Layout, expressions: Expressions) -> None:
        self._program = program
        self._layout = layout
        self._expressions = expressions
        selectors = [each.selector for each in program.profiles() if each.selector]
        self._all = {each.name: each for each in [*program.calculations.values(), *selectors]}
        self._numbers = {name: place for place, name in enumerate(self._all)}

    def call(self, name: str) -> str:
        """C of a calculation's result. Raises UnsupportedProgram."""
        if name not in self._numbers:
            raise UnsupportedProgram(f"no calculation {name!r}")
        return f"calculation_{self._numbers[name]}(c)"

    def functions(self) -> str:
        """All of them."""
        return "\n".join(self._function(each) for each in self._all.values())

    def _function(self, calculation: Calculation) -> str:
        function = _FUNCTIONS.get(calculation.algorithm)
        if function is None:
            raise UnsupportedProgram(f"hash algorithm {calculation.algorithm!r}")
        lines = [
            f"static uint64_t calculation_{self._numbers[calculation.name]}"
            f"(const struct context *c) {{ {comment(calculation.name)}"
        ]
        lines += self.buffer(calculation.inputs)
        lines += [f"  return {function}(b, at);", "}"]
        return "\n".join(lines)

    def buffer(self, inputs: Sequence[HashInput]) -> list[str]:
        """C that puts inputs one after the other into `b`; `at` is the count of bytes.

        As in BMv2, fields of an invalid header are left out.
        """
        room = 16 + sum(self._room(each) for each in inputs)
        storage = "static " if any(each.source is None for each in inputs) else ""
        lines = [f"  {storage}uint8_t b[{room}];", "  uint32_t at = 0;", "  (void)c;"]
        groups = self._groups(inputs)
        if any(self._is_varbit(item) for item in inputs) or any(
            self._group_width(group) % 8 for group in groups
        ):
            return lines + self._bitwise(inputs)
        for group in groups:
            lines += self._group(group)
        return lines

    def _room(self, item: HashInput) -> int:
        match item.source:
            case None:
                return MAX_PACKET_BYTES
            case HeaderRef(name):
                return sum(field.width for field in self._layout.type_of(name).fields) // 8 + 8
            case _:
                return item.width // 8 + 1

    def _owner(self, source: Expression | None) -> str | None:
        """The place of the header whose validity decides about an input, if there is one."""
        if isinstance(source, FieldRef) and not self._layout.is_metadata(source.header):
            return self._layout.header(source.header)
        if isinstance(source, Operation):
            return self._expressions.places.field(source).header.text
        return None

    def _is_plain(self, item: HashInput) -> bool:
        """Whether an input is a number of constant width."""
        if isinstance(item.source, Operation) or (
            isinstance(item.source, FieldRef) and item.source.field != "$valid$"
        ):
            return not self._expressions.places.field(item.source).field.is_varbit
        return isinstance(item.source, FieldRef | Constant)

    def _is_varbit(self, item: HashInput) -> bool:
        """Whether an input is a field whose length may be no whole bytes."""
        source = item.source
        return (
            isinstance(source, FieldRef) and source.field != "$valid$" and not self._is_plain(item)
        )

    def _groups(self, inputs: Sequence[HashInput]) -> list[list[HashInput]]:
        """Neighbours that are there or not together."""
        groups: list[list[HashInput]] = []
        for item in inputs:
            last = groups[-1][-1] if groups else None
            if (
                last is not None
                and self._is_plain(item)
                and self._is_plain(last)
                and self._owner(item.source) == self._owner(last.source)
            ):
                groups[-1].append(item)
            else:
                groups.append([item])
        return groups

    def _group_width(self, group: list[HashInput]) -> int:
        return sum(item.width for item in group) if self._is_plain(group[0]) else 0

    def _guard(self, source: Expression | None) -> str:
        owner = self._owner(source)
        return "" if owner is None else f"if ({owner}.valid) "

    def _group(self, group: list[HashInput]) -> list[str]:
        first = group[0].source
        if not self._is_plain(group[0]):
            return [self._whole(first)]
        fields = [(self._number(item), item.width) for item in group]
        body = " ".join(stores("p", fields))
        size = self._group_width(group) // 8
        return [f"  {self._guard(first)}{{ uint8_t *p = b + at; {body} at += {size}; }}"]

    def _number(self, item: HashInput) -> str:
        if item.source is None:
            raise UnsupportedProgram("the payload is used as a number")
        return self._expressions.stored(item.source, item.width)

    def _whole(self, source: Expression | None) -> str:
        """C that adds the payload or a header at a whole byte."""
        match source:
            case None:
                size = "c->length - c->parsed"
                return f"  memcpy(b + at, c->data + c->parsed, {size}); at += {size};"
            case HeaderRef(name):
                return (
                    f"  if ({self._layout.header(name)}.valid) at += {self._emit(name, 'b + at')};"
                )
            case _:
                raise UnsupportedProgram(f"{type(source).__name__} is an input of a hash")

    def _emit(self, header: str, to: str) -> str:
        function = emit_name(self._layout, self._layout.type_of(header))
        return f"{function}({to}, &{self._layout.header(header)})"

    def _bitwise(self, inputs: Sequence[HashInput]) -> list[str]:
        """As `_group` and `_whole` do, where inputs are not always whole bytes."""
        lines = ["  uint64_t bits = 0; memset(b, 0, sizeof b);"]
        for item in inputs:
            lines.append(f"  {self._guard(item.source)}{{ {self._bits(item)} }}")
        lines.append("  at = (uint32_t)((bits + 7) / 8);")
        return lines

    def _bits(self, item: HashInput) -> str:
        """C that adds an input behind `bits` bits."""
        source = item.source
        if self._is_plain(item):
            writer = "wide_put_bits" if item.width > 128 else "put_bits"
            number = self._number(item)
            return f"{writer}(b, bits, {item.width}, {number}); bits += {item.width};"
        if isinstance(source, FieldRef):  # a varbit
            place = self._expressions.places.field(source).text
            return f"copy_bits(b, bits, {place}.bytes, 0, {place}.bits); bits += {place}.bits;"
        if isinstance(source, HeaderRef):
            call = self._emit(source.name, "whole")
            test = f"if ({self._layout.header(source.name)}.valid)"
            copy = (
                f"const uint64_t size = 8 * (uint64_t){call}; copy_bits(b, bits, whole, 0, size);"
            )
            return f"uint8_t whole[{self._room(item)}]; {test} {{ {copy} bits += size; }}"
        # The payload begins at a whole byte, as in BMv2.
        return f"at = (uint32_t)((bits + 7) / 8);{self._whole(source)} bits = 8 * (uint64_t)at;"

    def checksums(self) -> str:
        """`verify_checksums` and `update_checksums`."""
        verify = ["static void verify_checksums(struct context *c) {", "  (void)c;"]
        update = ["static void update_checksums(struct context *c) {", "  (void)c;"]
        for checksum in self._program.checksums:
            place = self._expressions.places.field(FieldRef(checksum.header, checksum.field))
            test = self._expressions.boolean(checksum.condition)
            if not self._layout.is_metadata(checksum.header):
                test = f"{self._layout.header(checksum.header)}.valid && {test}"
            value = f"({self.call(checksum.calculation)}"
            if place.field.width < 64:
                value += f" & {(1 << place.field.width) - 1:#x}u"
            value += ")"
            if checksum.is_verified:
                verify.append(f"  if ({test} && {place.text} != {value}) c->checksum_error = 1;")
            if checksum.is_updated:
                update.append(f"  if ({test}) {place.text} = {value};")
        return "\n".join([*verify, "}", *update, "}"])
