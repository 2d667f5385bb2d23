"""Types of what registers and digests carry (P4DataTypeSpec), and their values as P4Data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from finsy.proto import p4d, p4t

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid, unimplemented


@dataclass(frozen=True, slots=True)
class BitsType:
    """bit<width> or int<width>."""

    width: int
    is_signed: bool = False

    @property
    def size(self) -> int:
        """How many values it takes."""
        return 1

    def encode(self, values: Iterator[int]) -> p4d.P4Data:
        """The next value, given as its bits."""
        value = next(values)
        if self.is_signed:
            return p4d.P4Data(bitstring=bitstring.encode_signed(value, self.width))
        return p4d.P4Data(bitstring=bitstring.encode(value))

    def decode(self, data: p4d.P4Data, what: str) -> int:
        """A value as its bits. Raises P4RuntimeError."""
        _expect(data, "bitstring", what)
        if self.is_signed:
            return bitstring.decode_signed(data.bitstring, self.width, what)
        return bitstring.decode(data.bitstring, self.width, what)


@dataclass(frozen=True, slots=True)
class BoolType:
    """bool."""

    @property
    def width(self) -> int:
        """Its bits."""
        return 1

    @property
    def size(self) -> int:
        """How many values it takes."""
        return 1

    def encode(self, values: Iterator[int]) -> p4d.P4Data:
        """The next value."""
        return p4d.P4Data(bool=next(values) != 0)

    def decode(self, data: p4d.P4Data, what: str) -> int:
        """A value as its bits. Raises P4RuntimeError."""
        _expect(data, "bool", what)
        return int(data.bool)


@dataclass(frozen=True, slots=True)
class EnumType:
    """A serialisable enum."""

    width: int

    @property
    def size(self) -> int:
        """How many values it takes."""
        return 1

    def encode(self, values: Iterator[int]) -> p4d.P4Data:
        """The next value."""
        return p4d.P4Data(enum_value=bitstring.encode(next(values)))

    def decode(self, data: p4d.P4Data, what: str) -> int:
        """A value as its bits, of a name that there is or not. Raises P4RuntimeError."""
        _expect(data, "enum_value", what)
        return bitstring.decode(data.enum_value, self.width, what)


@dataclass(frozen=True, slots=True)
class StructType:
    """A struct, or a tuple: its members in their order."""

    members: tuple[DataType, ...]
    is_tuple: bool = False

    @property
    def size(self) -> int:
        """How many values it takes."""
        return sum(member.size for member in self.members)

    def encode(self, values: Iterator[int]) -> p4d.P4Data:
        """The next values, as many as there are members."""
        like = p4d.P4StructLike(members=[member.encode(values) for member in self.members])
        return p4d.P4Data(tuple=like) if self.is_tuple else p4d.P4Data(struct=like)


CellType: TypeAlias = BitsType | BoolType | EnumType
"""What a register can have in each of its cells."""

DataType: TypeAlias = CellType | StructType


def _expect(data: p4d.P4Data, kind: str, what: str) -> None:
    given = data.WhichOneof("data")
    if given != kind:
        raise invalid(f"{what}: {given or 'nothing'} is given, it has a {kind}")


def data_type(spec: p4t.P4DataTypeSpec, types: p4t.P4TypeInfo) -> DataType:
    """The type of a specification in P4Info.

    Raises P4RuntimeError: INVALID_ARGUMENT for a name that P4Info does not have,
    UNIMPLEMENTED for a type whose values the data plane does not give as bits.
    """
    match spec.WhichOneof("type_spec"):
        case "bitstring":
            return _bits(spec.bitstring)
        case "bool":
            return BoolType()
        case "tuple":
            return StructType(tuple(data_type(each, types) for each in spec.tuple.members), True)
        case "struct":
            if spec.struct.name not in types.structs:
                raise _unknown(spec.struct.name)
            members = types.structs[spec.struct.name].members
            return StructType(tuple(data_type(each.type_spec, types) for each in members))
        case "serializable_enum":
            if spec.serializable_enum.name not in types.serializable_enums:
                raise _unknown(spec.serializable_enum.name)
            enum = types.serializable_enums[spec.serializable_enum.name]
            return EnumType(enum.underlying_type.bitwidth)
        case "new_type":
            return _new_type(spec.new_type.name, types)
        case other:
            raise unimplemented(f"data of type {other}")


def _bits(spec: p4t.P4BitstringLikeTypeSpec) -> BitsType:
    match spec.WhichOneof("type_spec"):
        case "bit":
            return BitsType(spec.bit.bitwidth)
        case "int":
            return BitsType(spec.int.bitwidth, is_signed=True)
        case other:
            raise unimplemented(f"data of type {other}")


def _new_type(name: str, types: p4t.P4TypeInfo) -> DataType:
    if name not in types.new_types:
        raise _unknown(name)
    new_type = types.new_types[name]
    if new_type.WhichOneof("representation") == "original_type":
        return data_type(new_type.original_type, types)
    if new_type.translated_type.WhichOneof("sdn_type") == "sdn_bitwidth":
        return BitsType(new_type.translated_type.sdn_bitwidth)
    raise unimplemented(f"type {name}, which is translated to a string")


def _unknown(name: str) -> P4RuntimeError:
    return invalid(f"P4Info has no type {name}")
