"""Where headers and metadata live in C: `struct phv` of a packet's context `c`."""

from __future__ import annotations

from bmv2.embedded.codegen.names import Names, comment
from bmv2.embedded.codegen.storage import storage_type, word_count
from bmv2.embedded.errors import UnsupportedProgram
from bmv2.embedded.program.model import Field, HeaderType, Program

_PHV = "c->phv"


class Layout:
    """Places of headers, stacks and fields.

    A stack, of unions too, has one member more than its size: what an index beyond it
    means, zeros.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._types = Names("t_")
        self._headers = Names("h_")
        self._stacks = Names("s_")
        self._members = Names("m_")
        self._fields: dict[str, Names] = {}
        self._widest_bits = max(
            128,
            *(field.width for each in program.headers.values() for field in each.type.fields),
            *(each.width for action in program.actions.values() for each in action.parameters),
            *(each.width for each in program.registers.values()),
        )
        self._in_stack = {
            header: (stack.name, place)
            for stack in program.stacks.values()
            for place, header in enumerate(stack.headers)
        }
        self._union_of = {
            header: union for union in program.unions.values() for header in union.members.values()
        }

    # --- numbers beyond 128 bits ---------------------------------------------------------

    def widen(self, bits: int) -> None:
        """Notes that there are numbers of so many bits: `struct wide` holds them all."""
        self._widest_bits = max(self._widest_bits, bits)

    def wide_limbs(self) -> int:
        """The 64-bit limbs of `struct wide`, with a bit for the sign."""
        return word_count(self._widest_bits + 1)

    # --- places -------------------------------------------------------------------------

    def type_of(self, header: str) -> HeaderType:
        """The type of a header. Raises UnsupportedProgram."""
        found = self.program.headers.get(header)
        if found is None:
            raise UnsupportedProgram(f"no header {header!r}")
        return found.type

    def field_of(self, header_type: HeaderType, name: str) -> Field:
        """A field of a header type. Raises UnsupportedProgram."""
        field = header_type.field(name)
        if field is None:
            raise UnsupportedProgram(f"no field {name!r} in header type {header_type.name}")
        return field

    def header(self, name: str) -> str:
        """The C place of a header."""
        self.type_of(name)
        if name in self._in_stack:
            stack, place = self._in_stack[name]
            return f"{self.stack(stack)}.at[{place}]"
        return f"{_PHV}.{self._headers[name]}"

    def is_metadata(self, name: str) -> bool:
        """Whether a header is a struct of metadata, always valid."""
        return self.program.headers[name].is_metadata

    def stack(self, name: str) -> str:
        """The C place of a header stack: `at` and `next`."""
        if name not in self.program.stacks:
            raise UnsupportedProgram(f"no header stack {name!r}")
        return f"{_PHV}.{self._stacks[name]}"

    def union_stack_next(self, name: str) -> str:
        """The C place of the number of the next union of a stack."""
        return f"{_PHV}.{self._stacks[name]}.next"

    def beyond_union_stack(self, name: str) -> str:
        """The C place of what an index beyond a stack's end means, which has `union_member`s."""
        return f"{_PHV}.{self._stacks[name]}.beyond"

    def union_member(self, name: str) -> str:
        """The C name of a member of a union in a stack."""
        return self._members[name]

    def field(self, header_type: HeaderType, name: str) -> str:
        """The C name of a field within its header."""
        names = self._fields.setdefault(header_type.name, Names("f_"))
        return names[name]

    def others_of_union(self, header: str) -> list[str]:
        """The C places of the headers that become invalid when this one becomes valid."""
        union = self._union_of.get(header)
        if union is None:
            return []
        return [self.header(other) for other in union.members.values() if other != header]

    def standard(self, name: str) -> str:
        """The C place of a field of the standard metadata."""
        header_type = self.type_of("standard_metadata")
        self.field_of(header_type, name)
        return f"{self.header('standard_metadata')}.{self.field(header_type, name)}"

    # --- definitions ----------------------------------------------------------------------

    def definitions(self) -> str:
        """The C types of headers, and `struct phv`."""
        program = self.program
        used = {header.type.name: header.type for header in program.headers.values()}
        lines = [self._struct(header_type) for header_type in used.values()]
        lines.append("struct phv {")
        for header in program.headers.values():
            if header.name not in self._in_stack:
                lines.append(
                    f"  struct {self._types[header.type.name]} {self._headers[header.name]};"
                    f" {comment(header.name)}"
                )
        for stack in program.stacks.values():
            lines.append(
                f"  struct {{ uint32_t next; struct {self._types[stack.type.name]}"
                f" at[{len(stack.headers) + 1}]; }} {self._stacks[stack.name]};"
            )
        for stack in program.union_stacks.values():
            spare = program.unions[stack.unions[0]].members
            members = " ".join(
                f"struct {self._types[self.type_of(header).name]} {self._members[member]};"
                for member, header in spare.items()
            )
            name = self._stacks[stack.name]
            lines.append(f"  struct {{ uint32_t next; struct {{ {members} }} beyond; }} {name};")
        lines.append("};")
        return "\n".join(lines)

    def struct_name(self, header_type: HeaderType) -> str:
        """The C type of a header."""
        return f"struct {self._types[header_type.name]}"

    def _struct(self, header_type: HeaderType) -> str:
        # The widest fields first, so that nothing is lost between them.
        fields = sorted(header_type.fields, key=lambda field: -field.width)
        lines = [f"{self.struct_name(header_type)} {{"]
        for field in fields:
            name = self.field(header_type, field.name)
            if field.is_varbit:
                lines.append(
                    f"  struct {{ uint32_t bits; uint8_t bytes[{-(-field.width // 8)}]; }} {name};"
                )
            else:
                lines.append(f"  {storage_type(field.width)} {name};")
        lines.append("  uint8_t valid;")
        lines.append("};")
        return "\n".join(lines)
