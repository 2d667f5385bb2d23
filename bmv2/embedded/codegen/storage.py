"""How a value of a width is stored in C, and how it lies in a packet."""

from __future__ import annotations

from collections.abc import Sequence

from bmv2.embedded.program.model import Action

WORD = 64
MAX_PACKET_BYTES = 1 << 17
"""Of a packet that comes in or goes round: no interface has larger ones."""


def storage_type(width: int) -> str:
    """The C type that holds an unsigned value of `width` bits."""
    for bits in (8, 16, 32, 64):
        if width <= bits:
            return f"uint{bits}_t"
    return "u128" if width <= 128 else "struct wide"


def word_type(width: int) -> str:
    """The C type that `width` bits are computed in."""
    if width <= WORD:
        return "uint64_t"
    return "u128" if width <= 128 else "struct wide"


def fills_storage(width: int) -> bool:
    """Whether a value of `width` bits has no bits to spare in its C type."""
    return width in (8, 16, 32, 64, 128)


def word_count(width: int) -> int:
    """How many 64-bit words a value takes in a key or in action data."""
    return max(1, -(-width // WORD))


def data_words(action: Action) -> int:
    """The 64-bit words of an action's arguments."""
    return sum(word_count(parameter.width) for parameter in action.parameters)


def constant(value: int) -> str:
    """A C constant of a non-negative integer below 2**128."""
    if value < 1 << 31:
        return str(value)
    if value < 1 << 64:
        return f"{value:#x}u"
    return f"U128({value >> 64:#x}u, {value & (1 << 64) - 1:#x}u)"


def wide_constant(value: int) -> str:
    """A C constant of type `struct wide`; negative ones in two's complement."""
    if -(1 << 127) <= value < 0:
        return f"wide_of_i({signed_constant(value)})"
    if 0 <= value < 1 << 128:
        return f"wide_of_u({constant(value)})"
    # With a bit for the sign, which is then repeated in the limbs above.
    count = word_count(value.bit_length() + 1)
    limbs = [f"{value >> WORD * each & (1 << WORD) - 1:#x}u" for each in range(count)]
    literal = f"(struct wide){{{{{', '.join(limbs)}}}}}"
    return literal if value >= 0 else f"wide_signed({literal}, {WORD * count})"


def signed_constant(value: int) -> str:
    """A C constant of an integer that fits into 128 bits with a sign."""
    if value >= 0:
        return f"(i128){constant(value)}"
    return f"(-(i128){constant(-value - 1)} - 1)"


def load(pointer: str, offset: int, width: int) -> str:
    """C that reads `width` bits at a constant bit offset."""
    if width > 128:
        return f"wide_get_bits({pointer}, {offset}, {width})"
    first, last = offset // 8, (offset + width - 1) // 8
    count = last - first + 1
    if width == 0:
        return "0"
    if count > 16:
        return f"get_bits({pointer}, {offset}, {width})"
    kind = "uint64_t" if count <= 8 else "u128"
    parts = [
        f"({kind}){pointer}[{place}] << {8 * (last - place)}"
        if place != last
        else f"({kind}){pointer}[{place}]"
        for place in range(first, last + 1)
    ]
    value = " | ".join(parts)
    shift = 8 * (last + 1) - (offset + width)
    if shift:
        value = f"({value}) >> {shift}"
    if count * 8 - shift > width:
        value = f"({value}) & {constant((1 << width) - 1)}"
    return value


def stores(pointer: str, fields: Sequence[tuple[str, int]]) -> list[str]:
    """C statements that write fields (value, width) one after the other, whole bytes in all.

    Neighbours that share bytes are put together first.
    """
    lines: list[str] = []
    run: list[tuple[str, int, int]] = []
    offset = start = 0
    for value, width in fields:
        run.append((value, offset, width))
        offset += width
        if offset % 8 == 0:
            lines += _store_run(pointer, run, start, offset)
            run, start = [], offset
    for value, place, width in run:
        lines.append(_put(pointer, place, width, value))
    return lines


def _put(pointer: str, offset: int, width: int, value: str) -> str:
    if width == 0:
        return ""
    name = "wide_put_bits" if width > 128 else "put_bits"
    return f"{name}({pointer}, {offset}, {width}, {value});"


def _store_run(
    pointer: str, run: Sequence[tuple[str, int, int]], start: int, end: int
) -> list[str]:
    if end - start > 128:
        return [_put(pointer, offset, width, value) for value, offset, width in run]
    kind = "uint64_t" if end - start <= 64 else "u128"
    parts = [
        f"({kind}){value} << {end - offset - width}" if end - offset - width else f"({kind}){value}"
        for value, offset, width in run
        if width
    ]
    if not parts:
        return []
    whole = " | ".join(parts)
    if end - start == 8:
        return [f"{pointer}[{start // 8}] = (uint8_t)({whole});"]
    lines = [f"{{ const {kind} run = {whole};"]
    lines += [
        f"{pointer}[{place}] = (uint8_t)(run >> {end - 8 * (place + 1)});"
        for place in range(start // 8, end // 8)
    ]
    return [" ".join([*lines, "}"])]
