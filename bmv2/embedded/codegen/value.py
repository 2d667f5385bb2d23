"""Integer values in generated C, by the interval that they are known to be in."""

from __future__ import annotations

from dataclasses import dataclass

from bmv2.embedded.codegen.storage import constant, signed_constant, wide_constant


@dataclass(frozen=True, slots=True)
class Value:
    """A C expression and the interval of its values; the interval gives its C type."""

    text: str
    low: int
    high: int

    @property
    def kind(self) -> str:
        """The C type that holds every value of the interval."""
        return kind_of(self.low, self.high)

    def to(self, kind: str) -> str:
        """The value in a C type that holds it too, or that takes its low bits."""
        return convert(self.text, self.kind, kind)


def kind_of(low: int, high: int) -> str:
    """The smallest C type for an interval."""
    if low >= 0:
        if high < 1 << 64:
            return "uint64_t"
        if high < 1 << 128:
            return "u128"
    else:
        if low >= -(1 << 63) and high < 1 << 63:
            return "int64_t"
        if low >= -(1 << 127) and high < 1 << 127:
            return "i128"
    return "struct wide"


def convert(text: str, source: str, target: str) -> str:
    """A C expression as another type; a smaller one takes the low bits."""
    if source == target:
        return text
    if target == "struct wide":
        is_signed = source in ("int64_t", "i128")
        return f"wide_of_{'i' if is_signed else 'u'}({text})"
    if source == "struct wide":
        narrow = "wide_u64" if target in ("uint64_t", "int64_t") else "wide_u128"
        return f"({target}){narrow}({text})"
    return f"({target})({text})"


def constant_value(value: int) -> Value:
    """A constant."""
    kind = kind_of(value, value)
    if kind == "struct wide":
        return Value(wide_constant(value), value, value)
    if value < 0:
        return Value(f"({kind}){signed_constant(value)}", value, value)
    return Value(f"({kind}){constant(value)}", value, value)
