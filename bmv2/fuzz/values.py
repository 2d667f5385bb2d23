"""Seeded values for the fields of entries: those that packets have, and the ends of a width."""

from __future__ import annotations

from random import Random

from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary
from bmv2.embedded.program.model import KeyField

# Of the seed packets, by width in bits.
_COMMON = {
    8: (1, 6, 17, 64),
    9: (1, 2, 3, 510, 511),
    16: (0x0800, 0x86DD, 0x0806, 0x8100, 80, 1234),
    32: (0x0A000001, 0x0A000102),
    48: (0x020000000001, 0x020000000002),
}


def value(random: Random, width: int) -> int:
    """A value of a width."""
    if width == 0:
        return 0
    largest = (1 << width) - 1
    small = [each for each in (0, 1, 2, 3) if each <= largest]
    match random.randrange(4):
        case 0:
            return random.choice(small)
        case 1:
            return random.choice([largest, largest - 1, 1 << (width - 1), largest >> 1])
        case 2:
            return random.choice(_COMMON.get(width, small))
        case _:
            return random.getrandbits(width)


def match_of(random: Random, field: KeyField) -> Match:
    """What an entry wants of a field."""
    return match_of_kind(random, field.match_kind, field.width)


def match_of_kind(random: Random, kind: str, width: int) -> Match:
    """What an entry wants of a field of a match kind."""
    wanted = value(random, width)
    every_bit = (1 << width) - 1
    match kind:
        case "exact":
            return Exact(wanted)
        case "lpm":
            prefix = random.choice([0, width, random.randint(0, width)])
            return Lpm(wanted >> (width - prefix) << (width - prefix), prefix)
        case "range":
            return Range(*sorted((wanted, value(random, width))))
        case "optional":
            return random.choice([Exact(wanted), Ternary(0, 0)])
        case _:
            mask = random.choice([0, every_bit, value(random, width)])
            return Ternary(wanted & mask, mask)
