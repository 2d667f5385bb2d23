"""The switch tells the controller of flow rules that nobody uses any more.

Run: python -m testbed.sandbox pytest tests/ptf/test_ptf_idle_timeout.py
"""

from __future__ import annotations

import time

from ptf_fates import Out
from ptf_frames import flow_of, to_server
from ptf_network import CLIENT, NF2
from ptf_switch import PtfSwitch
from scapy.layers.inet import TCP

from controlplane.switch import entries
from controlplane.switch.entries import Entry

TIMEOUT_S = 0.6


def rule(port: int, timeout_s: float = TIMEOUT_S) -> Entry:
    flow = flow_of(to_server(TCP()), port, 80)
    return entries.flow_to_instance(flow, 2, round(timeout_s * 1e9))


def frame(port: int) -> bytes:
    return to_server(TCP(sport=port, dport=80))


def test_an_idle_rule_is_reported_and_stays(switch: PtfSwitch) -> None:
    """The controller deletes it: a rule that the switch deleted by itself could lose a flow."""
    idle, lasting = (switch.unused_port() for _ in range(2))
    began_s = time.monotonic()
    switch.put(rule(idle), rule(lasting, timeout_s=0), rule(switch.unused_port(), timeout_s=60))
    found = switch.controller.idle_entry()
    assert time.monotonic() - began_s >= TIMEOUT_S
    assert found.key == rule(idle).key
    assert switch.process(CLIENT, frame(idle)) == [Out(NF2, frame(idle))]
    assert len(switch.controller.entries(entries.FLOW_RULES)) == 3
    switch.remove(rule(idle))


def test_a_rule_in_use_is_not_idle(switch: PtfSwitch) -> None:
    """Packets of the flow, and only those, put the time off."""
    used, unused = (switch.unused_port() for _ in range(2))
    switch.put(rule(used, timeout_s=1.5), rule(unused, timeout_s=1.6))
    began_s = last_s = time.monotonic()
    while time.monotonic() - began_s < 2:
        last_s = time.monotonic()
        assert switch.process(CLIENT, frame(used)) == [Out(NF2, frame(used))]
    assert switch.controller.idle_entry().key == rule(unused).key
    switch.remove(rule(unused))  # it may be reported again as long as it is there
    assert switch.controller.idle_entry().key == rule(used).key
    assert time.monotonic() - last_s >= 1.5
