"""Arithmetic on values in C: the interval of a result, and the C that computes it.

Results are those of integers without bounds. Only a shift to the left has a limit, which
lies beyond the widest field: what it shifts out no field can hold.
"""

from __future__ import annotations

from bmv2.embedded.codegen.value import Value, constant_value, convert, kind_of
from bmv2.embedded.errors import UnsupportedProgram

MOST_SHIFT = 4096

_RING = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
_SUFFIXES = {
    "uint64_t": "_u64",
    "int64_t": "_i64",
    "u128": "_u128",
    "i128": "_i128",
    "struct wide": "_wide",
}


def ring(operator: str, kind: str, left: str, right: str) -> str:
    """C of `+ - * & | ^` on two operands of a C type."""
    if kind == "struct wide":
        return f"wide_{_RING[operator]}({left}, {right})"
    return f"({left} {operator} {right})"


def negated_bits(kind: str, operand: str) -> str:
    """C of `~` on an operand of a C type."""
    return f"wide_not({operand})" if kind == "struct wide" else f"(~{operand})"


def _interval(operator: str, left: Value, right: Value) -> tuple[int, int]:
    match operator:
        case "+":
            return left.low + right.low, left.high + right.high
        case "-":
            return left.low - right.high, left.high - right.low
        case "*":
            products = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            return min(products), max(products)
        case "&" if left.low >= 0 or right.low >= 0:
            return 0, min(value.high for value in (left, right) if value.low >= 0)
        case "&" | "|" | "^":
            ends = (left.low, left.high, right.low, right.high)
            bits = max(end.bit_length() for end in ends)
            return (0 if min(ends) >= 0 else -(1 << bits)), (1 << bits) - 1
        case "/" | "%":
            most = max(abs(left.low), abs(left.high))
            is_signed = left.low < 0 or (operator == "/" and right.low < 0)
            return (-most if is_signed else 0), most
        case _:
            raise UnsupportedProgram(f"operator {operator!r} is used as a number")


def combined(operator: str, left: Value, right: Value) -> Value:
    """The result of `+ - * / % & | ^`. Raises UnsupportedProgram for another operator.

    `/` rounds towards zero, `%` has the sign of its left operand; by zero, both are zero.
    """
    low, high = _interval(operator, left, right)
    kind = kind_of(min(low, left.low, right.low), max(high, left.high, right.high))
    if operator in "/%":
        name = "divide" if operator == "/" else "modulo"
        text = f"{name}{_SUFFIXES[kind]}({left.to(kind)}, {right.to(kind)})"
    else:
        text = ring(operator, kind, left.to(kind), right.to(kind))
    return Value(convert(text, kind, kind_of(low, high)), low, high)


def complement(value: Value) -> Value:
    """The result of `~`."""
    low, high = ~value.high, ~value.low
    kind = kind_of(low, high)
    return Value(negated_bits(kind, value.to(kind)), low, high)


def choice(test: str, left: Value, right: Value) -> Value:
    """One of two values, by a C condition."""
    low, high = min(left.low, right.low), max(left.high, right.high)
    kind = kind_of(low, high)
    return Value(f"({test} ? {left.to(kind)} : {right.to(kind)})", low, high)


def shift_amount(by: Value) -> str:
    """C of how far to shift; a negative number, which P4 does not have there, is zero."""
    return f"shift_amount{_SUFFIXES[by.kind]}({by.text})"


def shifted_left(value: Value, by: Value) -> Value:
    """The result of `<<`, by `MOST_SHIFT` bits at the most."""
    most = min(max(by.high, 0), MOST_SHIFT)
    low, high = min(value.low << most, value.low), max(value.high << most, value.high)
    kind = kind_of(low, high)
    if kind == "struct wide":
        amount = f"{shift_amount(by)}" if by.high <= MOST_SHIFT else _limited(by)
        return Value(f"wide_shift_left({value.to(kind)}, {amount})", low, high)
    return Value(f"({kind})shift_left_128({value.to('u128')}, {shift_amount(by)})", low, high)


def _limited(by: Value) -> str:
    amount = shift_amount(by)
    return f"({amount} < {MOST_SHIFT} ? {amount} : {MOST_SHIFT})"


def shifted_right(value: Value, by: Value) -> Value:
    """The result of `>>`, which keeps the sign."""
    least = max(by.low, 0)
    low, high = (
        (0, value.high >> least)
        if value.low >= 0
        else (value.low >> least, max(value.high >> least, -1))
    )
    text = f"shift_right{_SUFFIXES[value.kind]}({value.text}, {shift_amount(by)})"
    return Value(convert(text, value.kind, kind_of(low, high)), low, high)


def comparison(operator: str, left: Value, right: Value) -> str:
    """C of the truth of a comparison."""
    kind = kind_of(min(left.low, right.low), max(left.high, right.high))
    texts = left.to(kind), right.to(kind)
    if kind == "struct wide":
        return f"(wide_compare({texts[0]}, {texts[1]}) {operator} 0)"
    return f"({texts[0]} {operator} {texts[1]})"


def saturated(value: Value, width: int, *, is_signed: bool) -> Value:
    """The nearest number that `width` bits can hold."""
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if is_signed else (0, (1 << width) - 1)
    kind = kind_of(min(low, value.low), max(high, value.high))
    least, most = constant_value(low).to(kind), constant_value(high).to(kind)
    if kind == "struct wide":
        text = f"wide_clamp({value.to(kind)}, {least}, {most})"
    else:
        text = f"({{ const {kind} x = {value.to(kind)}; "
        text += f"x < {least} ? {least} : x > {most} ? {most} : x; }})"
    return Value(convert(text, kind, kind_of(low, high)), low, high)


def signed(text: str, kind: str, width: int) -> Value:
    """The low `width` bits of a C expression as a signed number."""
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    name = {"uint64_t": "signed_64", "u128": "signed_128"}.get(kind, "wide_signed")
    result = {"uint64_t": "int64_t", "u128": "i128"}.get(kind, "struct wide")
    return Value(convert(f"{name}({text}, {width})", result, kind_of(low, high)), low, high)
