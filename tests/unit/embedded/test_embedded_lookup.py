"""Lookups against a plain model: all kinds of matches, while entries come and go."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from small_program import Load, P, SmallProgram, ethernet

from bmv2.embedded.errors import DuplicateEntry, TableFull
from bmv2.embedded.match import Exact, Lpm, Match, Range, Ternary

ANSWER = P + "answer"
MISS = 0
ROUNDS = 40


@dataclass(frozen=True)
class Key:
    """What a packet is looked up by."""

    small: int
    address: int
    number: int

    def frame(self, which: int) -> bytes:
        """A frame for a table of the program `lookup`."""
        rest = (self.number << 4).to_bytes(13, "big") + bytes(2)
        head = bytes([which, self.small]) + self.address.to_bytes(16, "big")
        return ethernet(1, 2, 3, head, rest)


def matches(match: Match, value: int, width: int) -> bool:
    match match:
        case Exact(wanted):
            return value == wanted
        case Lpm(wanted, prefix):
            return (value ^ wanted) >> (width - prefix) == 0
        case Ternary(wanted, mask):
            return (value ^ wanted) & mask == 0
        case Range(low, high):
            return low <= value <= high


@dataclass
class Table:
    """A table of the program, beside a list of its entries."""

    program: SmallProgram
    which: int
    name: str
    fields: tuple[tuple[Callable[[Key], int], int], ...]
    entries: dict[int, tuple[tuple[Match, ...], int, int]] = field(default_factory=dict)

    def add(self, key: tuple[Match, ...], priority: int, answer: int) -> None:
        plane = self.program.dataplane
        handle = plane.table_add(P + self.name, key, priority, ANSWER, [answer])
        assert handle not in self.entries
        self.entries[handle] = (key, priority, answer)

    def delete(self, handle: int) -> None:
        self.program.dataplane.table_delete(P + self.name, handle)
        del self.entries[handle]

    def expected(self, key: Key) -> set[int]:
        """The answers that are right: of the entries that match, those of the best rank."""
        found: list[tuple[int, int]] = []
        for wanted, priority, answer in self.entries.values():
            pairs = zip(wanted, self.fields, strict=True)
            if all(matches(match, read(key), width) for match, (read, width) in pairs):
                prefixes = [match.prefix for match in wanted if isinstance(match, Lpm)]
                found.append((prefixes[0] if prefixes else priority, answer))
        best = max((rank for rank, _ in found), default=None)
        return {answer for rank, answer in found if rank == best} or {MISS}

    def check(self, keys: list[Key]) -> None:
        out = self.program.run(*(key.frame(self.which) for key in keys))
        for key, (_, frame) in zip(keys, out, strict=True):
            answer = int.from_bytes(frame[45:47], "big")
            assert answer in self.expected(key), (key, answer, self.entries)


def address(key: Key) -> int:
    return key.address


def number(key: Key) -> int:
    return key.number


def small(key: Key) -> int:
    return key.small


def low_half(key: Key) -> int:
    return key.number & 0xFFFFFFFF


@pytest.fixture
def dice() -> random.Random:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    return random.Random(seed)


def some_bits(dice: random.Random, width: int) -> int:
    """A number of which many share their first bits."""
    shared = dice.choice([0, 0x5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A]) & (1 << width) - 1
    return shared ^ dice.getrandbits(width) >> dice.choice([0, width // 2, width - 4])


def some_key(dice: random.Random) -> Key:
    return Key(dice.randrange(3), some_bits(dice, 128), some_bits(dice, 100))


def prefix_of(dice: random.Random, value: int, width: int) -> Lpm:
    prefix = dice.randint(0, width)
    return Lpm(value >> (width - prefix) << (width - prefix), prefix)


def churn(table: Table, dice: random.Random, match: Callable[[Key], tuple[Match, ...]]) -> None:
    """Adds, deletes and looks up, in turns."""
    keys = [some_key(dice) for _ in range(30)]
    for answer in range(1, ROUNDS + 1):
        for key in dice.sample(keys, k=4):
            with contextlib.suppress(DuplicateEntry):
                table.add(match(key), dice.randint(1, 5), answer)
        if table.entries and dice.random() < 0.7:
            for handle in dice.sample(list(table.entries), k=len(table.entries) // 3):
                table.delete(handle)
        table.check([*keys, *(some_key(dice) for _ in range(10))])
    for handle in list(table.entries):
        table.delete(handle)
    table.check([some_key(dice) for _ in range(5)])


def test_prefixes_of_128_bits_with_an_exact_field(load: Load, dice: random.Random) -> None:
    table = Table(load("lookup"), 0, "prefixes", ((address, 128), (small, 8)))
    churn(table, dice, lambda key: (prefix_of(dice, key.address, 128), Exact(key.small)))


def test_prefixes_of_32_bits(load: Load, dice: random.Random) -> None:
    table = Table(load("lookup"), 1, "short_prefixes", ((low_half, 32),))
    churn(table, dice, lambda key: (prefix_of(dice, low_half(key), 32),))


def test_ranges_of_100_bits_with_a_ternary_field(load: Load, dice: random.Random) -> None:
    table = Table(load("lookup"), 2, "ranges", ((number, 100), (small, 8)))

    def match(key: Key) -> tuple[Match, ...]:
        ends = sorted((key.number, some_bits(dice, 100)))
        mask = dice.choice([0, 2, 255])
        return Range(*ends), Ternary(key.small & mask, mask)

    churn(table, dice, match)


def test_exact_keys_of_several_words(load: Load, dice: random.Random) -> None:
    table = Table(load("lookup"), 3, "values", ((number, 100), (address, 128)))
    keys = [some_key(dice) for _ in range(100)]
    pairs = dict.fromkeys((key.number, key.address) for key in keys)
    for answer, (first, second) in enumerate(pairs, start=1):
        table.add((Exact(first), Exact(second)), 0, answer)
    table.check(keys + [some_key(dice) for _ in range(20)])


def test_the_same_prefix_twice_is_a_duplicate(load: Load) -> None:
    plane = load("lookup").dataplane
    for prefix in (0, 1, 32):
        plane.table_add(P + "short_prefixes", [Lpm(0, prefix)], 0, ANSWER, [1])
        with pytest.raises(DuplicateEntry):
            plane.table_add(P + "short_prefixes", [Lpm(0, prefix)], 0, ANSWER, [2])


def test_a_range_differs_from_another_with_the_same_lower_end(load: Load) -> None:
    plane = load("lookup").dataplane
    everything = Ternary(0, 0)
    plane.table_add(P + "ranges", [Range(1, 2**99), everything], 1, ANSWER, [1])
    plane.table_add(P + "ranges", [Range(1, 2**98), everything], 1, ANSWER, [1])
    with pytest.raises(DuplicateEntry):
        plane.table_add(P + "ranges", [Range(1, 2**99), everything], 1, ANSWER, [2])


def test_a_full_table_takes_an_entry_again_after_a_delete(load: Load) -> None:
    plane = load("lookup").dataplane
    handles = [
        plane.table_add(P + "short_prefixes", [Lpm(each << 16, 16)], 0, ANSWER, [1])
        for each in range(8192)
    ]
    with pytest.raises(TableFull, match="8192 entries"):
        plane.table_add(P + "short_prefixes", [Lpm(1 << 31, 16)], 0, ANSWER, [1])
    plane.table_delete(P + "short_prefixes", handles[17])
    plane.table_add(P + "short_prefixes", [Lpm(1 << 31, 16)], 0, ANSWER, [1])
