"""Meters: of arrays and of entries, and the marker itself against RFC 2698."""

from __future__ import annotations

import ctypes
import os
import random

import pytest
from small_program import Load, P, SmallProgram, ethernet

from bmv2.embedded.compiler import compile_library
from bmv2.embedded.match import Exact
from bmv2.embedded.meter import MeterRates

GREEN, YELLOW, RED, UNTOUCHED = 0, 1, 2, 0xEE
SLOW = 1
"""A unit a second: in a test, none."""


def colors(program: SmallProgram, kind: int, index: int, count: int) -> list[tuple[int, int]]:
    """The colours of packets by the meter of an array and by that of their entry."""
    frames = [ethernet(1, 5, kind, bytes([index, 0, 0, 0])) for _ in range(count)]
    return [(frame[15], frame[16]) for _, frame in program.run(*frames)]


def test_packets_are_marked_by_their_number(load: Load) -> None:
    program = load("meter")
    program.dataplane.meter_write(P + "by_packets", 1, MeterRates(SLOW, 2, SLOW, 3))
    marked = [color for color, _ in colors(program, 1, 1, 6)]
    assert marked == [GREEN, GREEN, YELLOW, RED, RED, RED]


def test_bytes_are_marked_by_their_length_at_the_ingress(load: Load) -> None:
    program = load("meter")
    # Frames have 18 bytes: two are within 40, a third within 60.
    program.dataplane.meter_write(P + "by_bytes", 2, MeterRates(SLOW, 40, SLOW, 60))
    assert [color for color, _ in colors(program, 2, 2, 4)] == [GREEN, GREEN, YELLOW, RED]


def test_a_meter_without_rates_is_green_and_one_beyond_the_array_is_none(load: Load) -> None:
    program = load("meter")
    assert [color for color, _ in colors(program, 1, 0, 3)] == [GREEN] * 3
    assert [color for color, _ in colors(program, 1, 4, 1)] == [UNTOUCHED]
    assert [color for color, _ in colors(program, 1, 255, 1)] == [UNTOUCHED]


def test_rates_are_read_as_they_were_written(load: Load) -> None:
    plane = load("meter").dataplane
    rates = MeterRates(2**40, 2**41, 2**62, 2**63)
    assert plane.meter_read(P + "by_bytes", 3) is None
    plane.meter_write(P + "by_bytes", 3, rates)
    assert plane.meter_read(P + "by_bytes", 3) == rates
    assert plane.meter_read(P + "by_bytes", 2) is None
    plane.meter_write(P + "by_bytes", 3, None)
    assert plane.meter_read(P + "by_bytes", 3) is None
    with pytest.raises(IndexError, match="index 4 is not below its size 4"):
        plane.meter_read(P + "by_bytes", 4)


def test_writing_fills_the_buckets(load: Load) -> None:
    program = load("meter")
    for _ in range(2):
        program.dataplane.meter_write(P + "by_packets", 0, MeterRates(SLOW, 1, SLOW, 1))
        assert [color for color, _ in colors(program, 1, 0, 2)] == [GREEN, RED]


def test_the_meter_of_an_entry_marks_its_packets(load: Load) -> None:
    program = load("meter")
    plane = program.dataplane
    table = P + "entries_"
    entry = plane.table_add(table, [Exact(5)], 0, P + "metered", [])
    other = plane.table_add(table, [Exact(6)], 0, P + "metered", [])
    rates = MeterRates(SLOW, 1, SLOW, 2)
    assert plane.entry_meter(table, entry) is None
    plane.set_entry_meter(table, entry, rates)
    assert (plane.entry_meter(table, entry), plane.entry_meter(table, other)) == (rates, None)
    assert [color for _, color in colors(program, 0, 0, 3)] == [GREEN, YELLOW, RED]
    plane.set_entry_meter(table, entry, None)
    assert plane.entry_meter(table, entry) is None
    assert [color for _, color in colors(program, 0, 0, 1)] == [GREEN]
    plane.table_delete(table, entry)
    with pytest.raises(KeyError):
        plane.set_entry_meter(table, entry, rates)


def test_the_meter_of_misses_marks_them_once_it_has_rates(load: Load) -> None:
    program = load("meter")
    program.dataplane.set_entry_meter(P + "entries_", None, MeterRates(SLOW, 1, SLOW, 1))
    assert [color for _, color in colors(program, 0, 0, 2)] == [GREEN, RED]


# --- the marker by itself, in a time of the test's own ---------------------------------------

MARKER = """
#include "numbers.h"
#include "meter.h"
__attribute__((visibility("default")))
void mark(const uint64_t *rates, uint32_t count, const uint64_t *now_ns, const uint64_t *units,
          uint32_t *colors) {
    struct meter meter;
    meter_set(&meter, &(struct meter_rates){rates[0], rates[1], rates[2], rates[3]});
    for (uint32_t i = 0; i < count; i++) colors[i] = meter_execute(&meter, now_ns[i], units[i]);
}
"""


def rfc_2698(rates: MeterRates, packets: list[tuple[int, int]]) -> list[int]:
    """The colours of packets (time in µs, units); tokens come whole, as they do in BMv2."""
    committed, peak = rates.cburst, rates.pburst
    found: list[int] = []
    last = 0
    for now, units in packets:
        committed += now * rates.cir // 10**6 - last * rates.cir // 10**6
        peak += now * rates.pir // 10**6 - last * rates.pir // 10**6
        committed, peak = min(committed, rates.cburst), min(peak, rates.pburst)
        last = now
        if peak < units:
            found.append(RED)
            continue
        peak -= units
        if committed < units:
            found.append(YELLOW)
            continue
        committed -= units
        found.append(GREEN)
    return found


def test_the_marker_is_that_of_rfc_2698(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("marker") / "marker.so"
    path.write_bytes(compile_library(MARKER))
    library = ctypes.CDLL(str(path))
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(50):
        cir = dice.choice([1, 777, 1_000, 10**6 + 1, 10**9])
        rates = MeterRates(cir, dice.randint(1, 4000), cir * 2 + 1, dice.randint(1, 6000))
        now, packets = 0, list[tuple[int, int]]()
        for _ in range(200):
            now += dice.choice([0, 1, 10, 1000, 10**6])
            packets.append((now, dice.randint(1, 1500)))
        count = len(packets)
        times = (ctypes.c_uint64 * count)(*(time * 1000 for time, _ in packets))
        units = (ctypes.c_uint64 * count)(*(size for _, size in packets))
        marked = (ctypes.c_uint32 * count)()
        library.mark((ctypes.c_uint64 * 4)(*rates), count, times, units, marked)
        assert list(marked) == rfc_2698(rates, packets), (rates, packets)
