"""The flow information table: what the switch knows of the active flows.

To let a flow expire, the activity window is made shorter than its silence; a test waits only
where one flow is to expire and another is not.
Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_fit.py
"""

from __future__ import annotations

import threading
import time
from random import Random

import pytest
from ptf_fates import Dropped, Out
from ptf_fit import Slot, find_flow, slots_of
from ptf_frames import flow_of, padded, to_client, to_server
from ptf_network import CLIENT, NF1, NF2, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import TCP, UDP
from scapy.packet import Raw

from controlplane import p4_constants as p4
from controlplane.switch import entries
from nf.southbound.flow import FiveTuple

GROUP = 1
LONG_US, PASSED_US = 10_000_000, 1
LOW_FIN, HIGH_FIN, RST = p4.FIT_END_LOW_FIN, p4.FIT_END_HIGH_FIN, p4.FIT_END_RST


def datagram(flow: FiveTuple, size: int = 0) -> bytes:
    """A frame of a UDP flow, from its low endpoint, the client."""
    return to_server(UDP(sport=flow.low_port, dport=flow.high_port) / Raw(bytes(size)))


@pytest.fixture
def flow(switch: PtfSwitch) -> FiveTuple:
    """A UDP flow from the client to the server that the switch has never seen."""
    port = switch.unused_port()
    return flow_of(to_server(UDP()), port, 53)


# --- insert and update ---------------------------------------------------------------


def test_insert(switch: PtfSwitch, flow: FiveTuple) -> None:
    frame = datagram(flow, 100)
    assert flow not in switch.fit()
    assert switch.process(CLIENT, frame) == [Out(NF1, frame)]
    found = switch.fit()[flow]
    assert (found.way, found.instance, found.bytes, found.ends) == (0, 1, len(frame), 0)


def test_update_counts_the_frames_of_both_directions(switch: PtfSwitch, flow: FiveTuple) -> None:
    there = [datagram(flow, size) for size in (0, 1, 700, 1472)]
    back = to_client(UDP(sport=flow.high_port, dport=flow.low_port) / Raw(bytes(300)))
    short = padded(datagram(flow))
    switch.process(CLIENT, *there)
    first = switch.fit()[flow]
    switch.process(SERVER, back, back)
    switch.process(CLIENT, short)
    second = switch.fit()[flow]
    assert first.bytes == sum(map(len, there))
    assert second.bytes == first.bytes + 2 * len(back) + len(short)
    assert second.seen_us > first.seen_us
    assert second.way == first.way


def test_on_the_way_back_from_an_instance_nothing_is_counted(
    switch: PtfSwitch, flow: FiveTuple
) -> None:
    frame = datagram(flow)
    switch.process(CLIENT, frame)
    before = switch.fit()[flow]
    switch.process(NF1, frame, frame)
    switch.process(NF2, frame)
    assert switch.fit()[flow] == before


def test_what_is_not_steered_is_not_recorded(switch: PtfSwitch, flow: FiveTuple) -> None:
    frame = to_server(UDP(sport=flow.low_port, dport=53), dst="192.168.7.7")
    assert switch.process(CLIENT, frame) == [Dropped(p4.DROP_NO_ROUTE)]
    assert flow_of(frame, flow.low_port, 53) not in switch.fit()


def test_times_are_microseconds(switch: PtfSwitch, flow: FiveTuple) -> None:
    frame = datagram(flow)
    sent_ns, done_ns, seen_us = [], [], []
    for pause_s in (0.1, 0.0):
        sent_ns.append(time.monotonic_ns())
        switch.process(CLIENT, frame)
        done_ns.append(time.monotonic_ns())
        seen_us.append(switch.fit()[flow].seen_us)
        threading.Event().wait(pause_s)
    least_us = (sent_ns[1] - done_ns[0]) // 1000
    most_us = (done_ns[1] - sent_ns[0]) // 1000 + 1
    assert least_us <= seen_us[1] - seen_us[0] <= most_us


# --- which instance ---------------------------------------------------------------------


def test_the_instance_is_where_the_last_packet_went(switch: PtfSwitch, flow: FiveTuple) -> None:
    frame = datagram(flow)
    rule = entries.flow_to_instance(flow, 2)
    seen: list[tuple[int, int]] = []
    for change in (lambda: None, lambda: switch.put(rule), lambda: switch.remove(rule)):
        change()
        switch.process(CLIENT, frame)
        found = switch.fit()[flow]
        seen.append((found.instance, found.bytes // len(frame)))
    assert seen == [(1, 1), (2, 2), (1, 3)]


def test_a_held_flow_is_counted_at_the_instance_that_it_had(
    switch: PtfSwitch, flow: FiveTuple
) -> None:
    frame = datagram(flow)
    switch.process(CLIENT, frame)
    switch.put(entries.flow_hold(flow, 1))
    switch.process(CLIENT, frame, frame)
    found = switch.fit()[flow]
    assert (found.instance, found.bytes) == (1, 3 * len(frame))


def test_a_flow_that_begins_while_it_is_held_is_at_none(switch: PtfSwitch, flow: FiveTuple) -> None:
    switch.put(entries.flow_hold(flow, 1))
    switch.process(CLIENT, datagram(flow))
    assert switch.fit()[flow].instance == 0


def test_a_flow_without_an_owner_is_at_none(switch: PtfSwitch, flow: FiveTuple) -> None:
    switch.put(*(entries.bucket(GROUP, number, 0) for number in range(p4.BUCKETS)))
    assert switch.process(CLIENT, datagram(flow)) == [Dropped(p4.DROP_NO_OWNER)]
    assert switch.fit()[flow].instance == 0


# --- expiry, the second way, overflow ----------------------------------------------------


def test_an_expired_flow_begins_anew(switch: PtfSwitch, flow: FiveTuple) -> None:
    frame = datagram(flow, 500)
    switch.process(CLIENT, frame, frame)
    switch.put(entries.timers(PASSED_US, LONG_US))
    switch.process(CLIENT, frame)
    assert switch.fit()[flow].bytes == len(frame)


def collide(flow: FiveTuple, random: Random, way: int) -> FiveTuple:
    """A flow that shares the slot of one way only."""
    slots = slots_of(flow)

    def is_wanted(other: FiveTuple) -> bool:
        found = slots_of(other)
        return found[way] == slots[way] and found[1 - way] != slots[1 - way]

    return find_flow(flow, random, is_wanted)


def record(switch: PtfSwitch, *flows: FiveTuple) -> list[Slot | None]:
    """What the table says of flows when each has sent a packet."""
    switch.process(CLIENT, *(datagram(each) for each in flows))
    table = switch.fit()
    return [table.get(each) for each in flows]


def ways(slots: list[Slot | None]) -> list[int | None]:
    return [None if slot is None else slot.way for slot in slots]


def test_a_taken_slot_sends_a_flow_to_the_second_way(
    switch: PtfSwitch, flow: FiveTuple, random: Random
) -> None:
    second = collide(flow, random, way=0)
    before = switch.overflow()
    assert ways(record(switch, flow, second)) == [0, 1]
    table = record(switch, second, flow, second)
    assert ways(table) == [1, 0, 1]
    size = len(datagram(flow))
    assert [slot and slot.bytes for slot in table] == [3 * size, 2 * size, 3 * size]
    assert switch.overflow() == before


def test_the_second_way_keeps_all_that_it_knows(
    switch: PtfSwitch, flow: FiveTuple, random: Random
) -> None:
    first = flow._replace(protocol=6)
    second = collide(first, random, way=0)

    def segment(flow: FiveTuple, flags: str) -> bytes:
        return to_server(TCP(sport=flow.low_port, dport=flow.high_port, flags=flags))

    switch.process(CLIENT, segment(first, "A"), segment(second, "FA"))
    switch.put(entries.flow_hold(second, 1))
    switch.process(CLIENT, segment(second, "A"))
    found = switch.fit()[second]
    assert (found.way, found.instance, found.ends) == (1, 1, LOW_FIN)


def test_an_expired_flow_of_the_second_way_begins_anew_in_the_first(
    switch: PtfSwitch, flow: FiveTuple, random: Random
) -> None:
    second = collide(flow, random, way=0)
    assert ways(record(switch, flow, second)) == [0, 1]
    switch.put(entries.timers(PASSED_US, LONG_US))
    (found,) = record(switch, second)
    assert found is not None
    assert (found.way, found.bytes) == (0, len(datagram(second)))


def test_an_expired_slot_is_taken_over(switch: PtfSwitch, flow: FiveTuple, random: Random) -> None:
    successor = collide(flow, random, way=0)
    record(switch, flow)
    switch.put(entries.timers(PASSED_US, LONG_US))
    assert ways(record(switch, successor)) == [0]
    assert flow not in switch.fit()


def test_a_flow_in_the_second_way_stays_there_when_the_first_becomes_free(
    switch: PtfSwitch, flow: FiveTuple, random: Random
) -> None:
    second = collide(flow, random, way=0)
    frame = datagram(second)
    record(switch, flow, second)
    window_us = _let_expire(switch, flow, second)
    switch.put(entries.timers(window_us, LONG_US))
    switch.process(CLIENT, frame)
    found = switch.fit()[second]
    assert (found.way, found.bytes) == (1, 3 * len(frame))


def _let_expire(switch: PtfSwitch, old: FiveTuple, new: FiveTuple) -> int:
    """Sends a packet of `new`; a window in which it is active for long, and `old` is not."""
    wait_us = 1_000_000
    threading.Event().wait(wait_us / 1e6)
    switch.process(CLIENT, datagram(new))
    table = switch.fit()
    assert table[new].seen_us - table[old].seen_us > wait_us
    return wait_us


def test_no_free_slot_is_an_overflow(switch: PtfSwitch, flow: FiveTuple, random: Random) -> None:
    """Both slots of `flow` are taken: one by `first`, one by `second`, whose first is taken."""
    first = collide(flow, random, way=0)
    second = collide(flow, random, way=1)
    ousting = collide(second, random, way=0)
    assert len({slots_of(each)[0] for each in (flow, second)}) == 2
    assert ways(record(switch, first, ousting, second)) == [0, 0, 1]
    packets, size = switch.overflow()
    frames = [datagram(flow, 10), datagram(flow, 20)]
    assert switch.process(CLIENT, *frames) == [Out(NF1, each) for each in frames]
    assert flow not in switch.fit()
    assert switch.overflow() == (packets + 2, size + sum(map(len, frames)))
    # What was there is untouched.
    assert [slot and slot.bytes for slot in record(switch, first)] == [2 * len(datagram(first))]


# --- the end of TCP ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packets", "ends"),
    [
        pytest.param(*row, id=row[0])
        for row in [
            (">S", 0),
            (">S <SA >A", 0),
            (">A >PA", 0),
            (">FA", LOW_FIN),
            ("<FA", HIGH_FIN),
            (">F", LOW_FIN),
            (">FA >A", LOW_FIN),
            (">FA <A", LOW_FIN),
            (">FA <FA", LOW_FIN | HIGH_FIN),
            ("<FA >FA <A", LOW_FIN | HIGH_FIN),
            (">R", RST),
            ("<RA", RST),
            (">FA <R", LOW_FIN | RST),
            (">R >A", RST),
            (">RF", RST),
            (">FA <FA >S", 0),
            (">R >S", 0),
            (">R <S", 0),
            (">R <SA", RST),
        ]
    ],
)
def test_the_end_of_a_connection(switch: PtfSwitch, packets: str, ends: int) -> None:
    """A row is a connection: who sends (> the client, < the server) and the flags."""
    port = switch.unused_port()
    for packet in packets.split():
        if packet[0] == ">":
            frame = to_server(TCP(sport=port, dport=80, flags=packet[1:]))
            switch.process(CLIENT, frame)
        else:
            frame = to_client(TCP(sport=80, dport=port, flags=packet[1:]))
            switch.process(SERVER, frame)
        flow = flow_of(frame, *((port, 80) if packet[0] == ">" else (80, port)))
    assert switch.fit()[flow].ends == ends  # pyright: ignore[reportPossiblyUnboundVariable]


@pytest.mark.parametrize(("first", "expected"), [("FA", 1), ("R", 1), ("A", 2), ("S", 2)])
def test_ports_that_are_used_again_are_a_new_flow(
    switch: PtfSwitch, first: str, expected: int
) -> None:
    """The bytes of an ended connection are none of the next one's; a repeated SYN is the same."""
    port = switch.unused_port()
    again = to_server(TCP(sport=port, dport=80, flags="S"))
    switch.process(CLIENT, to_server(TCP(sport=port, dport=80, flags=first)), again)
    found = switch.fit()[flow_of(again, port, 80)]
    assert (found.bytes, found.ends) == (expected * len(again), 0)


def test_an_expired_connection_has_not_ended(switch: PtfSwitch) -> None:
    port = switch.unused_port()
    switch.process(CLIENT, to_server(TCP(sport=port, dport=80, flags="R")))
    switch.put(entries.timers(PASSED_US, LONG_US))
    frame = to_server(TCP(sport=port, dport=80, flags="A"))
    switch.process(CLIENT, frame)
    found = switch.fit()[flow_of(frame, port, 80)]
    assert (found.bytes, found.ends) == (len(frame), 0)
