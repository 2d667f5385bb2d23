"""A trial made by hand: a few flows, their packets, and what the instances know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from experiments.findings import five_tuple
from experiments.trial import Knowledge, Trial, TrialOptions
from nf.southbound.client import FlowSummary
from nf.southbound.flow import FiveTuple
from testbed.capture import SNAP_BYTES, Packets
from testbed.load.options import LoadOptions
from testbed.load.record import FlowRecord, LoadRecord, WitnessRecord

STARTED = 1000.0
MOVE_AT_S = 4.0
ASKED = STARTED + MOVE_AT_S
ANSWERED = ASKED + 0.05
CLIENT, SERVER = (10, 0, 1, 10), (10, 0, 2, 10)


def flow(number: int, *, size: int = 5000, start_s: float = 3.0, took_s: float = 2.0) -> FlowRecord:
    """A flow that is done; its client port is 40000 + number."""
    return FlowRecord(
        number,
        size,
        False,
        client_port=40000 + number,
        server_port=80,
        started=STARTED + start_s,
        connected=STARTED + start_s + 0.001,
        finished=STARTED + start_s + took_s,
        received=size,
        outcome="done",
    )


def packets(flows: list[FlowRecord], *, to_server: bool, delay_s: float = 0.0) -> Packets:
    """A packet every 20 ms of each flow, in one direction."""
    rows: list[tuple[float, np.ndarray[Any, np.dtype[np.uint8]]]] = []
    for record in flows:
        source, destination = (CLIENT, SERVER) if to_server else (SERVER, CLIENT)
        ports = (record.client_port, record.server_port)
        ports = ports if to_server else ports[::-1]
        for index, at in enumerate(np.arange(record.started, record.finished, 0.02)):
            head = np.zeros(SNAP_BYTES, np.uint8)
            head[12:15] = (0x08, 0x00, 0x45)
            head[18:20] = divmod(index, 256)
            head[23] = 6
            head[26:30], head[30:34] = source, destination
            head[34:36], head[36:38] = divmod(ports[0], 256), divmod(ports[1], 256)
            rows.append((float(at) + delay_s, head))
    rows.sort(key=lambda row: row[0])
    return Packets(
        np.array([round(at * 1e9) for at, _ in rows], np.int64),
        np.full(len(rows), 1054, np.int64),
        np.array([head for _, head in rows], np.uint8).reshape(-1, SNAP_BYTES),
    )


def join(*parts: Packets) -> Packets:
    """Several captures as one, in the order of time."""
    whole = Packets.join(list(parts))
    order = np.argsort(whole.time_ns, kind="stable")
    return Packets(whole.time_ns[order], whole.length[order], whole.head[order])


def knowledge(at: float, nf1: list[FlowRecord], nf2: list[FlowRecord]) -> Knowledge:
    """What the instances know."""

    def known(flows: list[FlowRecord]) -> dict[FiveTuple, FlowSummary]:
        keys = [five_tuple(each) for each in flows]
        return {key: FlowSummary(key, 10, 10_000, 0.0, False) for key in keys}

    return Knowledge(at, {"nf1": known(nf1), "nf2": known(nf2)})


def report(moved: list[FlowRecord], **changes: Any) -> dict[str, Any]:
    """The controller's report of a move of these flows."""
    timeline = [
        {"flow": str(five_tuple(each)), "outcome": "moved", "hold_ms": 1.0, "released_ms": 4.0}
        for each in moved
    ]
    return {
        "downtime_ms": 10.0,
        "flows": {"selected": len(moved), "moved": len(moved)},
        "phases_ms": {"detect": 5.0},
        "flow_phases_ms": {"held": {"p50": 3.0, "p99": 3.0}},
        "buffer": {"packets": 4, "bytes": 4000, "peak_packets": 2, "peak_bytes": 2000},
        "timeline": timeline,
    } | changes


def make_trial(strategy: str = "move-elephant", **changes: Any) -> Trial:
    """A clean trial: flow 1 is moved, 2 and 3 stay, 4 comes after the move."""
    elephant, mice = flow(1, size=200_000), [flow(2), flow(3)]
    late = flow(4, start_s=4.5)
    every = [elephant, *mice, late]
    before = [elephant, *mice]
    is_move = strategy != "none"
    client, server = packets(every, to_server=True), packets(every, to_server=False)
    trial = Trial(
        options=TrialOptions(
            strategy=strategy, load=LoadOptions(), duration_s=8.0, move_at_s=MOVE_AT_S
        ),
        target="embedded",
        load=LoadRecord(STARTED, every, [WitnessRecord(50000, 7, sent=20)]),
        asked_at=ASKED,
        answered_at=ANSWERED,
        move=report([elephant]) if is_move else None,
        into_switch={"client": client, "server": server},
        out_of_switch={
            "client": packets(every, to_server=False, delay_s=0.001),
            "server": packets(every, to_server=True, delay_s=0.001),
            "nf1": packets(before, to_server=True, delay_s=0.0005),
            "nf2": packets([elephant, late] if is_move else [], to_server=True, delay_s=0.0005),
        },
        overflow=0,
        before=knowledge(ASKED - 0.5, before, []),
        after=knowledge(ANSWERED, mice, [elephant]) if is_move else knowledge(ASKED, before, []),
        nf_dropped=0,
        cpu_s={"switch": 0.5},
    )
    return replace(trial, **changes)
