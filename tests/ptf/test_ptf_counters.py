"""The direct counters of each table, and the times that the program starts with.

Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_counters.py
"""

from __future__ import annotations

import pytest
from ptf_fates import FENCE_ADDRESS, Out
from ptf_frames import flow_of, to_server
from ptf_network import CLIENT, NF1
from ptf_switch import PtfSwitch
from scapy.layers.inet import UDP
from scapy.layers.l2 import ARP, Ether

from controlplane.switch import entries
from controlplane.switch.entries import KeyValue, Lpm, Table, Ternary
from testbed import plan

FRAME = to_server(UDP(sport=6000, dport=53) / bytes(100))
FLOW = flow_of(FRAME, 6000, 53)
GATEWAY = plan.CLIENT.gateway
ASK = bytes(
    Ether(src=plan.CLIENT.mac, dst="ff:ff:ff:ff:ff:ff")
    / ARP(hwsrc=plan.CLIENT.mac, psrc=str(plan.CLIENT.address.ip), pdst=str(GATEWAY))
)
SERVER = int(plan.SERVER.address.ip)
NETWORKS = [Ternary(int(host.address.network.network_address), 0xFFFFFF00) for host in plan.HOSTS]


@pytest.mark.parametrize(
    ("table", "key", "port", "frame"),
    [
        pytest.param(table, key, port, frame, id=table.name)
        for table, key, port, frame in [
            (entries.GATEWAYS, (int(GATEWAY),), CLIENT, ASK),
            (entries.ROUTES, (Lpm(SERVER, 32),), NF1, FRAME),
            (entries.NF_PORTS, (NF1,), NF1, FRAME),
            (entries.INSTANCES, (1,), CLIENT, FRAME),
            (entries.STEER, (*NETWORKS, entries.ANY), CLIENT, FRAME),
            (entries.BUCKETS, (1, FLOW.bucket), CLIENT, FRAME),
        ]
    ],
)
def test_an_entry_counts_what_it_matches(
    switch: PtfSwitch, table: Table, key: tuple[KeyValue, ...], port: int, frame: bytes
) -> None:
    before = switch.controller.direct_counters(table)
    switch.process(port, *[frame] * 3)
    after = switch.controller.direct_counters(table)
    grown = {
        each: (after[each].packets - before[each].packets, after[each].bytes - before[each].bytes)
        for each in after
        if after[each].packets != before[each].packets
    }
    grown.pop((int(FENCE_ADDRESS),), None)
    assert list(grown) == [key]
    packets, size = grown[key]
    assert packets == 3
    if table is not entries.GATEWAYS:  # it counts no bytes
        assert size == 3 * len(frame)


def test_a_rule_counts_from_its_insertion(switch: PtfSwitch) -> None:
    """Also while it holds; changed or inserted anew it goes on or begins at 0."""

    def count() -> tuple[int, int]:
        return switch.controller.direct_counters(entries.FLOW_RULES)[FLOW]

    rule = entries.flow_to_instance(FLOW, 1)
    switch.put(rule)
    assert count() == (0, 0)
    assert switch.process(CLIENT, FRAME) == [Out(NF1, FRAME)]
    assert count() == (1, len(FRAME))
    switch.remove(rule)
    hold = entries.flow_hold(FLOW, 1)
    switch.put(hold)
    assert count() == (0, 0)
    switch.process(CLIENT, FRAME, FRAME)
    assert count() == (2, 2 * len(FRAME))


def test_the_timers_can_be_set(switch: PtfSwitch) -> None:
    largest = (1 << 48) - 1
    for timers in (entries.timers(1, 2), entries.timers(largest, largest)):
        switch.put(timers)
        assert switch.controller.default(entries.TIMERS) == timers
