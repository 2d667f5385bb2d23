"""What a trial has shown, in numbers. Pure functions of the recording."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.trial import Trial
from nf.southbound.flow import FiveTuple
from testbed import plan
from testbed.accounting import (
    Account,
    account,
    flow_key,
    flow_keys,
    identities,
    ipv4_only,
)
from testbed.capture import Packets
from testbed.load.record import ERRORS, FlowRecord, LoadRecord

ACTIVITY_WINDOW_S = 0.1
"""A flow with a packet within this time is active (paper §4.1)."""

_FLOW = re.compile(r"(\w+) ([\d.]+):(\d+) ↔ ([\d.]+):(\d+)")
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}


@dataclass(frozen=True, kw_only=True)
class Packeting:
    """What the network did to the packets of the hosts."""

    sent: int
    lost: int
    lost_before_instance: int
    """Of the lost, those that were never given to an instance."""
    duplicated: int
    foreign: int
    """Packets that came out and never went in."""
    reordered: int
    capture_overflow: int
    """Packets that the captures missed; the account is void unless 0."""
    nf_dropped: int
    """Packets lost at the instances' sockets; they are among the lost."""
    delay_ms_p50: float
    delay_ms_p99: float
    delay_ms_max: float
    """Through the switch and the instance, held packets included."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What the hosts saw."""

    flows: int
    done: int
    cut: int
    """Ended by the end of the load; verified up to there."""
    payload_errors: int
    resets: int
    """Connections reset, refused or timed out."""
    witness_sent: int
    witness_lost: int
    witness_duplicated: int
    witness_reordered: int


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """Where the state of the flows is right after the move."""

    moved: int
    """Flows that the controller says it has moved."""
    moved_at_destination_only: int
    moved_gone: int
    """Of the flows moved: over, and expired meanwhile."""
    on_both: int
    """Flows with state on both instances."""
    nowhere: int
    """Live connections, or moved flows that are not over, without state anywhere."""
    left: int
    """Flows known to the source before and not chosen."""
    left_at_source_only: int
    left_gone: int
    """Of the flows left: over, and expired meanwhile."""
    split: int
    """Flows that the source knows and that were not chosen, with packets at both instances."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All numbers of a trial."""

    strategy: str
    target: str
    active_flows: int
    """Flows with a packet within the activity window before the move."""
    open_connections: int
    """TCP connections open at the moment of the move."""
    known_flows: int
    """Flows the source had state for, ended ones that linger included."""
    packets: Packeting
    traffic: Traffic
    whereabouts: Whereabouts
    move: dict[str, Any] | None
    """The controller's report, with phases."""
    cpu_s: dict[str, float]
    faults: dict[str, int]
    """What must not be: lost, doubled, foreign packets, misplaced state, …; those that are."""

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, made up, corrupted or broken; every state where it belongs."""
        return not self.faults


def parse_flow(text: str) -> FiveTuple:
    """The flow that `str(FiveTuple)` wrote. Raises ValueError."""
    found = _FLOW.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no flow")
    protocol, low, low_port, high, high_port = found.groups()
    return FiveTuple(
        int(IPv4Address(low)),
        int(IPv4Address(high)),
        int(low_port),
        int(high_port),
        _PROTOCOLS[protocol] if protocol in _PROTOCOLS else int(protocol),
    )


def keys_of(flows: Iterable[FiveTuple]) -> NDArray[np.uint64]:
    """The numbers that `flow_keys` gives the packets of these flows."""
    fields = np.array([tuple(flow) for flow in flows], np.uint64).reshape(-1, 5)
    low = fields[:, 0] << np.uint64(16) | fields[:, 2]
    high = fields[:, 1] << np.uint64(16) | fields[:, 3]
    return flow_key(low, high, fields[:, 4])


def accounts(trial: Trial) -> tuple[Account, Account]:
    """The accounts of both directions: client to server, server to client."""
    client, server = plan.CLIENT.name, plan.SERVER.name
    return (
        account(trial.into_switch[client], trial.out_of_switch[server]),
        account(trial.into_switch[server], trial.out_of_switch[client]),
    )


def timeline(trial: Trial) -> list[dict[str, Any]]:
    """What the controller reports of each flow it chose."""
    if trial.move is None:
        return []
    return list(trial.move.get("timeline") or ())


def active_flows(trial: Trial) -> int:
    """Distinct flows with a packet within the activity window before the move."""
    end_ns = int(trial.asked_at * 1e9)
    keys: list[NDArray[np.uint64]] = []
    for packets in trial.into_switch.values():
        recent = (packets.time_ns < end_ns) & (
            packets.time_ns >= end_ns - int(ACTIVITY_WINDOW_S * 1e9)
        )
        keys.append(flow_keys(ipv4_only(_choose(packets, recent))))
    return len(np.unique(np.concatenate(keys)))


def open_at(load: LoadRecord, at: float) -> list[FlowRecord]:
    """Connections that were open at a time."""
    return [
        flow
        for flow in load.flows
        if 0 < flow.connected <= at and (flow.finished == 0 or flow.finished > at)
    ]


def five_tuple(record: FlowRecord) -> FiveTuple:
    """The flow of a connection of the load."""
    return FiveTuple.of(
        int(plan.CLIENT.address.ip),
        int(plan.SERVER.address.ip),
        record.client_port,
        record.server_port,
        6,
    )


def find_packets(trial: Trial) -> Packeting:
    """Accounts for the packets of both directions."""
    both = accounts(trial)
    delays = np.concatenate([each.delay_ns for each in both])
    p50, p99, longest = np.percentile(delays, (50, 99, 100)) / 1e6 if len(delays) else np.zeros(3)
    return Packeting(
        sent=sum(each.entered for each in both),
        lost=sum(each.lost for each in both),
        lost_before_instance=_count_lost_before_instance(trial, both),
        duplicated=sum(each.duplicated for each in both),
        foreign=sum(each.foreign for each in both),
        reordered=sum(each.reordered for each in both),
        capture_overflow=trial.overflow,
        nf_dropped=trial.nf_dropped,
        delay_ms_p50=round(float(p50), 4),
        delay_ms_p99=round(float(p99), 4),
        delay_ms_max=round(float(longest), 4),
    )


def _count_lost_before_instance(trial: Trial, both: Iterable[Account]) -> int:
    lost = np.concatenate([each.lost_ids for each in both])
    given = [identities(ipv4_only(trial.out_of_switch[each.name])) for each in plan.INSTANCES]
    return int(np.isin(lost, np.concatenate(given), invert=True).sum())


def find_traffic(load: LoadRecord) -> Traffic:
    """Sums up what the hosts saw."""
    witnesses = load.witnesses
    corrupt = load.count("corrupt")
    return Traffic(
        flows=len(load.flows),
        done=load.count("done"),
        cut=load.count("cut"),
        payload_errors=corrupt,
        resets=load.count(*ERRORS) - corrupt,
        witness_sent=sum(each.sent for each in witnesses),
        witness_lost=sum(each.lost for each in witnesses),
        witness_duplicated=sum(each.duplicated for each in witnesses),
        witness_reordered=sum(each.reordered for each in witnesses),
    )


def find_whereabouts(trial: Trial) -> Whereabouts:
    """Looks for the state of every flow right after the move."""
    source, destination = trial.after.flows[plan.NF1.name], trial.after.flows[plan.NF2.name]
    reported = timeline(trial)
    chosen = {parse_flow(each["flow"]) for each in reported}
    moved = {parse_flow(each["flow"]) for each in reported if each["outcome"] == "moved"}
    left = set(trial.before.flows[plan.NF1.name]) - chosen
    # Connections open before the listing began and after it ended must be somewhere.
    settled = {five_tuple(flow) for flow in open_at(trial.load, trial.answered_at)}
    settled &= {five_tuple(flow) for flow in open_at(trial.load, trial.after.at)}
    over = {five_tuple(flow) for flow in trial.load.flows if 0 < flow.finished <= trial.after.at}
    gone = {flow for flow in moved & over if flow not in source and flow not in destination}
    left_gone = {flow for flow in left & over if flow not in source and flow not in destination}
    wanted = (moved - gone) | settled
    nowhere = [flow for flow in wanted if flow not in source and flow not in destination]
    return Whereabouts(
        moved=len(moved),
        moved_at_destination_only=sum(flow in destination and flow not in source for flow in moved),
        moved_gone=len(gone),
        on_both=len(source.keys() & destination.keys()),
        nowhere=len(nowhere),
        left=len(left),
        left_at_source_only=sum(flow in source and flow not in destination for flow in left),
        left_gone=len(left_gone),
        split=_count_split(trial, (left | source.keys()) - chosen),
    )


def find(trial: Trial) -> Findings:
    """All numbers of a trial."""
    packets, traffic = find_packets(trial), find_traffic(trial.load)
    where = find_whereabouts(trial)
    return Findings(
        strategy=trial.options.strategy,
        target=trial.target,
        active_flows=active_flows(trial),
        open_connections=len(open_at(trial.load, trial.asked_at)),
        known_flows=len(trial.before.flows[plan.NF1.name]),
        packets=packets,
        traffic=traffic,
        whereabouts=where,
        move=trial.move,
        cpu_s={name: round(used, 3) for name, used in trial.cpu_s.items()},
        faults=_faults(packets, traffic, where),
    )


def _faults(packets: Packeting, traffic: Traffic, where: Whereabouts) -> dict[str, int]:
    counts = {
        "packets lost before an instance": packets.lost_before_instance,
        "packets lost at or behind an instance": packets.lost - packets.lost_before_instance,
        "packets duplicated": packets.duplicated,
        "foreign packets": packets.foreign,
        "packets not captured": packets.capture_overflow,
        "payload errors": traffic.payload_errors,
        "connections broken": traffic.resets,
        "witnesses lost": traffic.witness_lost,
        "witnesses duplicated": traffic.witness_duplicated,
        "states on both": where.on_both,
        "states nowhere": where.nowhere,
        "flows split": where.split,
        "moved flows misplaced": where.moved - where.moved_gone - where.moved_at_destination_only,
        "flows left misplaced": where.left - where.left_gone - where.left_at_source_only,
    }
    return {name: count for name, count in counts.items() if count}


def _count_split(trial: Trial, flows: set[FiveTuple]) -> int:
    """How many of these flows had packets at both instances."""
    one, other = (
        np.unique(flow_keys(ipv4_only(trial.out_of_switch[instance.name])))
        for instance in plan.INSTANCES
    )
    return len(np.intersect1d(np.intersect1d(one, other), keys_of(flows)))


def _choose(packets: Packets, chosen: NDArray[np.bool_]) -> Packets:
    return Packets(packets.time_ns[chosen], packets.length[chosen], packets.head[chosen])
