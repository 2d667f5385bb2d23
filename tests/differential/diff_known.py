"""Where a packet shows that the embedded switch differs from simple_switch_grpc 1.15.5 on purpose.

What has no queue has no depth and no time in it; all else that is not here is the same on both.
"""

from __future__ import annotations

from typing import NamedTuple

_ETHERNET = bytes(12)
_BITS_64 = "00000000000000ff"


class Difference(NamedTuple):
    """A frame, into port 0, whose fate depends on the switch."""

    program: str
    name: str
    before: tuple[str, ...]
    """Frames that go first, in hexadecimal digits after the addresses."""

    frame: str
    """The frame that shows it, like those before."""

    embedded: str
    """What leaves the embedded switch by port 1, like those before."""

    why: str
    """What simple_switch_grpc does, and why the embedded switch does not."""

    is_tried: bool = True
    """Whether simple_switch_grpc survives it, and does the same each time."""


DIFFERENCES = [
    Difference(
        "invalid_header",
        "an invalid header reads as zero",
        ("0000 1111",),
        "ff06 1111",
        "ff06 0000 0000 00 1111",
        "what is read may be of any earlier packet: P4 leaves it open, but it leaks",
        is_tried=False,
    ),
    Difference(
        "registers",
        "a signed cell is negative",
        ("0000 03 00000001 000000000000fffe",),
        "0000 02 00000001 0000000000000000",
        "0000 02 00000001 fffffffffffffffe",
        "a signed variable holds 65534 after register.read: P4 has its sign extended",
    ),
    Difference(
        "registers",
        "a read behind a register's end does nothing",
        (),
        f"0000 00 00000008 {_BITS_64}",
        "0000 00 00000008 0000000000000000",
        "the process ends",
        is_tried=False,
    ),
    Difference(
        "registers",
        "a write behind a register's end does nothing",
        (f"0000 05 00000005 {_BITS_64}",),
        "0000 04 00000004 0000000000000000",
        "0000 04 00000004 0000000000000000",
        "the process ends",
        is_tried=False,
    ),
    Difference(
        "registers",
        "an index of 32 bits does not wrap",
        (),
        f"0000 04 ffffffff {_BITS_64}",
        "0000 04 ffffffff 0000000000000000",
        "the process ends",
        is_tried=False,
    ),
    Difference(
        "stack",
        "a read behind a stack's end is zero",
        (),
        "0000 0b 03 01 00 0101 0201 0300",
        "0000 0b 03 01 00 0101 0201 0300",
        "the process ends",
        is_tried=False,
    ),
    Difference(
        "stack",
        "a write behind a stack's end does nothing",
        (),
        "0000 0c ff 01 00 0101 0201 0300",
        "0000 0c ff 01 02 0101 0201 0300",
        "the process ends",
        is_tried=False,
    ),
    Difference(
        "union_stack",
        "what a full stack of header unions loses by a push is gone",
        (),
        "0003 0100 0111 02222222 0133 00656e64",
        "0003 0100 0111 02222222 00656e64",
        "the last union comes back as the first one: P4 has it invalid",
    ),
    Difference(
        "union_stack",
        "what is popped off a stack of header unions is gone",
        (),
        "0003 0200 0111 02222222 00656e64",
        "0003 0200 02222222 00656e64",
        "the first union comes back as the last one: P4 has it invalid",
    ),
    Difference(
        "varbit",
        "a varbit field that was not extracted is empty",
        ("0000 4000 0111223344556600ff",),
        "0000 1103 0111223377",
        "0000 1103 ff01 0111223377",
        "the process ends when it is assigned, if the field of an earlier packet was odd",
        is_tried=False,
    ),
]


CODES = {
    ("NOT_FOUND", "INVALID_ARGUMENT"): "an id that P4Info does not have; or what is not there, "
    "given in a wrong way: which is said first is not specified",
    ("OUT_OF_RANGE", "INVALID_ARGUMENT"): "a value wider than its field: so says the "
    "specification, section 8.3",
}
"""Status codes of refused updates: the embedded switch's and simple_switch_grpc's, and why."""


def frame_of(digits: str) -> bytes:
    """A frame of the table."""
    return _ETHERNET + bytes.fromhex(digits)
