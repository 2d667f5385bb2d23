"""Our program on both switches: frames and entries drawn at random, and what the switch counted.

Run: python -m testbed.sandbox pytest tests/differential/test_diff_uhaul.py
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from diff_pair import SEED, drawn, seeded
from hypothesis import given
from hypothesis import strategies as st
from ptf_frames import bounced, flow_of, to_client, to_server
from ptf_network import PORTS
from ptf_start import GROUP, start
from ptf_switch import PtfSwitch
from ptf_targets import TARGETS, require
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.packet import Packet

from controlplane.p4_constants import BUCKETS
from controlplane.switch import entries
from controlplane.switch.entries import Entry
from testbed import plan

# PTF warns of frames that have nothing but an Ethernet header, in a deprecated way.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")

_LEAST_BYTES = 15  # the kernel sends no shorter ones
_TCP, _UDP, _ICMP = 6, 17, 1


@pytest.fixture(scope="module")
def switches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[PtfSwitch]]:
    for target in TARGETS:
        require(target)
    print(f"seed: DIFF_SEED={SEED}")
    with ExitStack() as stack:
        yield [start(stack, each, tmp_path_factory.mktemp(each)) for each in TARGETS]


@st.composite
def packet(draw: st.DrawFn) -> bytes:
    """A frame of one of a few flows."""
    source, destination = draw(st.sampled_from([(1000, 80), (1001, 80), (80, 1000), (53, 53)]))
    layer: Packet = draw(
        st.sampled_from(
            [
                TCP(sport=source, dport=destination),
                TCP(sport=source, dport=destination, flags="F"),
                TCP(sport=source, dport=destination, flags="R", options=[("MSS", 1460)]),
                UDP(sport=source, dport=destination),
                ICMP(),
            ]
        )
    )
    make = draw(st.sampled_from([to_server, to_client]))
    frame = make(layer / draw(st.binary(max_size=20)))
    return bounced(frame) if draw(st.integers(0, 5)) == 0 else frame


@st.composite
def frame(draw: st.DrawFn) -> bytes:
    """A frame of a flow, perhaps with some bytes changed, or cut off."""
    whole = bytearray(draw(packet()))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        whole[draw(st.integers(12, len(whole) - 1))] = draw(st.integers(0, 255))
    length = draw(st.sampled_from([len(whole)] * 4 + [draw(st.integers(_LEAST_BYTES, len(whole)))]))
    return bytes(whole[:length])


@st.composite
def rule(draw: st.DrawFn) -> Entry:
    """An entry that changes where flows go."""
    source, destination = draw(st.sampled_from([(1000, 80), (1001, 80), (53, 53), (0, 0)]))
    protocol = draw(st.sampled_from([_TCP, _UDP, _ICMP]))
    flow = flow_of(to_server(proto=protocol), source, destination)
    instance = draw(st.sampled_from([each.number for each in plan.INSTANCES]))
    return draw(
        st.sampled_from(
            [
                entries.flow_to_instance(flow, instance),
                entries.flow_hold(flow, draw(st.integers(1, 100))),
                *(
                    entries.bucket(GROUP, draw(st.integers(0, BUCKETS - 1)), *owners)
                    for owners in ((1, 2), (2, 1), (2, 0), (0, 0))
                ),
            ]
        )
    )


@seeded
@drawn(examples=25)
@given(data=st.data())
def test_the_same_becomes_of_flows(switches: list[PtfSwitch], data: st.DataObject) -> None:
    for entry in data.draw(st.lists(rule(), max_size=12)):
        for switch in switches:
            switch.put(entry)
    for _ in range(data.draw(st.integers(1, 4))):
        port = data.draw(st.sampled_from(PORTS))
        frames = data.draw(st.lists(frame(), min_size=1, max_size=15))
        embedded, real = (switch.process(port, *frames) for switch in switches)
        assert embedded == real
    embedded, real = (_flows(switch) for switch in switches)
    assert embedded == real
    for switch in switches:
        switch.restore()


def _flows(switch: PtfSwitch) -> tuple[object, tuple[int, int]]:
    """The flow information table but for its times, and what has overflown."""
    flows = {flow: slot._replace(seen_us=0) for flow, slot in switch.fit().items()}
    return flows, switch.overflow()
