"""Which flows stay with the previous owner of their bucket when it is turned.

To let a time pass, the timers are made shorter; a test waits only where a part is to pass.
Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_affinity.py
"""

from __future__ import annotations

import threading
from random import Random

import numpy as np
import pytest
from ptf_fates import Dropped, Out
from ptf_fit import AFFINITY, affinity_cells_of, find_flow
from ptf_frames import flow_of, to_client, to_server
from ptf_network import CLIENT, NF1, NF2, SERVER
from ptf_switch import PtfSwitch
from scapy.layers.inet import TCP

from controlplane import p4_constants as p4
from controlplane.switch import entries

GROUP = 1
LONG_US, PASSED_US = 60_000_000, 1
NF_PORT = {1: NF1, 2: NF2}


class Flow:
    """A TCP connection from the client to port 80 of the server."""

    def __init__(self, port: int, server_port: int = 80) -> None:
        self.there = to_server(TCP(sport=port, dport=server_port))
        self.back = to_client(TCP(sport=server_port, dport=port))
        self.five_tuple = flow_of(self.there, port, server_port)


@pytest.fixture
def flow(switch: PtfSwitch) -> Flow:
    """A flow that no instance has seen."""
    return Flow(switch.unused_port())


def turn(switch: PtfSwitch, flow: Flow, owner: int, previous: int = 0) -> None:
    switch.put(entries.bucket(GROUP, flow.five_tuple.bucket, owner, previous))


def goes_to(switch: PtfSwitch, flow: Flow) -> int:
    """The instance that gets both directions of a flow."""
    (there,) = switch.process(CLIENT, flow.there)
    assert isinstance(there, Out)
    assert switch.process(SERVER, flow.back) == [Out(there.port, flow.back)]
    return next(number for number, port in NF_PORT.items() if port == there.port)


@pytest.mark.parametrize("seen", ["there", "back", "both", ""])
@pytest.mark.parametrize(
    ("window_us", "timeout_us", "seen_goes_to"),
    [
        pytest.param(LONG_US, LONG_US, 1, id="active"),
        pytest.param(PASSED_US, LONG_US, 1, id="idle beyond the activity window"),
        pytest.param(PASSED_US, PASSED_US, 2, id="idle beyond the affinity timeout"),
    ],
)
def test_a_bucket_is_turned(
    switch: PtfSwitch, flow: Flow, seen: str, window_us: int, timeout_us: int, seen_goes_to: int
) -> None:
    if seen in ("there", "both"):
        assert switch.process(CLIENT, flow.there) == [Out(NF1, flow.there)]
    if seen in ("back", "both"):
        assert switch.process(SERVER, flow.back) == [Out(NF1, flow.back)]
    turn(switch, flow, owner=2, previous=1)
    switch.put(entries.timers(window_us, timeout_us))
    assert goes_to(switch, flow) == (seen_goes_to if seen else 2)


def test_a_flow_stays_as_long_as_it_goes_on(switch: PtfSwitch, flow: Flow) -> None:
    """Every packet renews its stay, in either direction."""
    assert goes_to(switch, flow) == 1
    turn(switch, flow, owner=2, previous=1)
    for _ in range(5):
        before = switch.controller.cells(AFFINITY)
        assert goes_to(switch, flow) == 1
        after = switch.controller.cells(AFFINITY)
        for name, cell in zip(AFFINITY, affinity_cells_of(flow.five_tuple, 1), strict=True):
            assert after[name][cell] > before[name][cell]


def test_when_the_drain_is_over_all_go_to_the_owner(switch: PtfSwitch, flow: Flow) -> None:
    assert goes_to(switch, flow) == 1
    turn(switch, flow, owner=2)
    assert goes_to(switch, flow) == 2


def test_turned_and_turned_back(switch: PtfSwitch) -> None:
    """Each flow goes on where it was first."""
    old, new, newest = (Flow(switch.unused_port()) for _ in range(3))
    assert goes_to(switch, old) == 1
    for flow in (old, new, newest):
        turn(switch, flow, owner=2, previous=1)
    assert [goes_to(switch, old), goes_to(switch, new)] == [1, 2]
    for flow in (old, new, newest):
        turn(switch, flow, owner=1, previous=2)
    assert [goes_to(switch, flow) for flow in (old, new, newest)] == [1, 2, 1]


def test_only_the_bucket_is_turned(switch: PtfSwitch, flow: Flow, random: Random) -> None:
    other = find_flow(flow.five_tuple, random, lambda each: each.bucket != flow.five_tuple.bucket)
    turn(switch, flow, owner=2)
    assert goes_to(switch, Flow(other.low_port, other.high_port)) == 1
    assert goes_to(switch, flow) == 2


def test_a_flow_with_a_rule_is_known_to_the_rule_s_instance(switch: PtfSwitch, flow: Flow) -> None:
    """When the rule is gone, it stays there."""
    rule = entries.flow_to_instance(flow.five_tuple, 2)
    switch.put(rule)
    assert goes_to(switch, flow) == 2
    switch.remove(rule)
    turn(switch, flow, owner=1, previous=2)
    assert goes_to(switch, flow) == 2


def test_the_previous_owner_can_lose_its_port(switch: PtfSwitch, flow: Flow) -> None:
    """Its flows are dropped, not sent to an instance without their state."""
    assert goes_to(switch, flow) == 1
    turn(switch, flow, owner=2, previous=1)
    switch.remove(entries.instance_port(1, NF1))
    assert switch.process(CLIENT, flow.there) == [Dropped(p4.DROP_NO_INSTANCE)]


# --- the filter itself -----------------------------------------------------------------


def test_the_cells_hold_the_time_of_the_last_packet(switch: PtfSwitch, flow: Flow) -> None:
    before = switch.controller.cells(AFFINITY)
    switch.process(CLIENT, flow.there)
    after = switch.controller.cells(AFFINITY)
    seen_us = switch.fit()[flow.five_tuple].seen_us
    for name, cell in zip(AFFINITY, affinity_cells_of(flow.five_tuple, 1), strict=True):
        assert after[name][cell] == seen_us
        assert np.flatnonzero(after[name] != before[name]).tolist() == [cell]


def sharing(flow: Flow, cell: int, random: Random) -> Flow:
    """A flow that shares one of its cells at nf1 with another one."""
    cells = affinity_cells_of(flow.five_tuple, 1)
    found = find_flow(
        flow.five_tuple, random, lambda each: affinity_cells_of(each, 1)[cell] == cells[cell]
    )
    assert sum(map(int.__eq__, affinity_cells_of(found, 1), cells)) == 1
    return Flow(found.low_port, found.high_port)


@pytest.mark.parametrize("cell", range(len(AFFINITY)))
def test_no_cell_may_be_unset(switch: PtfSwitch, flow: Flow, random: Random, cell: int) -> None:
    for other in {0, 1, 2} - {cell}:
        assert goes_to(switch, sharing(flow, other, random)) == 1
    turn(switch, flow, owner=2, previous=1)
    assert goes_to(switch, flow) == 2


@pytest.mark.parametrize("cell", range(len(AFFINITY)))
def test_no_cell_may_be_stale(switch: PtfSwitch, flow: Flow, random: Random, cell: int) -> None:
    fresh = [sharing(flow, other, random) for other in {0, 1, 2} - {cell}]
    assert goes_to(switch, sharing(flow, cell, random)) == 1
    threading.Event().wait(1)
    assert [goes_to(switch, each) for each in fresh] == [1, 1]
    turn(switch, flow, owner=2, previous=1)
    switch.put(entries.timers(LONG_US, 1_000_000))
    assert goes_to(switch, flow) == 2


def test_cells_that_others_have_set_are_taken_for_the_flow_s_own(
    switch: PtfSwitch, flow: Flow, random: Random
) -> None:
    """The filter's error, and its only one: a new flow goes to the previous owner."""
    for cell in range(len(AFFINITY)):
        assert goes_to(switch, sharing(flow, cell, random)) == 1
    turn(switch, flow, owner=2, previous=1)
    assert goes_to(switch, flow) == 1
