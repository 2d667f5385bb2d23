"""The tables of the P4 program, and a builder for each entry that the controller writes.

An entry is a plain value: two entries are equal when the switch would treat them the same.
What is declared here is checked against P4Info when a session starts (`switch/program.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from nf.southbound.flow import FiveTuple


class MatchKind(Enum):
    """How a key field matches."""

    EXACT = auto()
    LPM = auto()
    TERNARY = auto()


class Lpm(NamedTuple):
    """Value of an LPM field; the bits behind the prefix are zero."""

    value: int
    prefix: int


class Ternary(NamedTuple):
    """Value of a ternary field; the bits outside the mask are zero."""

    value: int
    mask: int


ANY = Ternary(0, 0)

KeyValue = int | Lpm | Ternary
"""Value of a key field: an integer where the match is exact."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table as the controller knows it. Names are those of P4Info (aliases)."""

    name: str
    key: Mapping[str, MatchKind]
    actions: Mapping[str, tuple[str, ...]]
    """Actions that the controller uses, and their parameters."""
    has_idle_timeout: bool = False


class Entry(NamedTuple):
    """An entry of a table, or its default action."""

    table: Table
    key: tuple[KeyValue, ...]
    """In the order of the table's key; empty for the default action."""
    action: str
    params: tuple[int, ...]
    """In the order of the action's parameters."""
    priority: int = 0
    """The larger one wins; only in tables with a ternary key."""
    idle_timeout_ns: int = 0
    """0: never."""
    is_default: bool = False
    """The table's default action; it can only be modified."""

    @property
    def identity(self) -> tuple[str, tuple[KeyValue, ...], int]:
        """What a table has only one entry of."""
        return self.table.name, self.key, self.priority


class Operation(Enum):
    """What to do with an entry."""

    INSERT = auto()
    MODIFY = auto()
    DELETE = auto()


class Update(NamedTuple):
    """One change of a table."""

    operation: Operation
    entry: Entry


# --- tables -------------------------------------------------------------------------

_E, _L, _T = MatchKind.EXACT, MatchKind.LPM, MatchKind.TERNARY

TIMERS = Table("timers", {}, {"set_timers": ("activity_window", "affinity_timeout")})
GATEWAYS = Table("gateways", {"address": _E}, {"answer": ("mac",)})
ROUTES = Table("routes", {"destination": _L}, {"to_host": ("port", "source", "destination")})
NF_PORTS = Table("nf_ports", {"port": _E}, {"from_instance": ("instance",)})
INSTANCES = Table("instances", {"instance": _E}, {"to_port": ("port",)})
STEER = Table("steer", {"source": _T, "destination": _T, "protocol": _T}, {"to_group": ("group",)})
BUCKETS = Table(
    "buckets",
    {"group": _E, "bucket": _E},
    {"owned": ("owner",), "drained": ("owner", "previous"), "unowned": ()},
)
FLOW_RULES = Table(
    "flow_rules",
    {"low_address": _E, "high_address": _E, "low_port": _E, "high_port": _E, "protocol": _E},
    {"to_instance": ("instance",), "hold": ("migration",)},
    has_idle_timeout=True,
)

TABLES = (TIMERS, GATEWAYS, ROUTES, NF_PORTS, INSTANCES, STEER, BUCKETS, FLOW_RULES)

# --- builders -----------------------------------------------------------------------

_STEER_PRIORITY = 1


def timers(activity_window_us: int, affinity_timeout_us: int) -> Entry:
    """How long a flow is active, and its instance remembered, after its last packet."""
    return Entry(TIMERS, (), "set_timers", (activity_window_us, affinity_timeout_us), 0, 0, True)


def gateway(address: IPv4Address, mac: int) -> Entry:
    """The switch answers ARP requests for a gateway address."""
    return Entry(GATEWAYS, (int(address),), "answer", (mac,))


def route(network: IPv4Network, port: int, source_mac: int, destination_mac: int) -> Entry:
    """Packets to a network leave by a port, with these MAC addresses."""
    destination = Lpm(int(network.network_address), network.prefixlen)
    return Entry(ROUTES, (destination,), "to_host", (port, source_mac, destination_mac))


def nf_port(port: int, instance: int) -> Entry:
    """What comes in by a port has been sent by an instance."""
    return Entry(NF_PORTS, (port,), "from_instance", (instance,))


def instance_port(instance: int, port: int) -> Entry:
    """An instance is reached by a port."""
    return Entry(INSTANCES, (instance,), "to_port", (port,))


def steer(source: IPv4Network, destination: IPv4Network, protocol: int | None, group: int) -> Entry:
    """A group looks at packets between two networks, in this direction."""
    key = (_network(source), _network(destination), _protocol(protocol))
    return Entry(STEER, key, "to_group", (group,), _STEER_PRIORITY)


def bucket(group: int, number: int, owner: int, previous: int = 0) -> Entry:
    """New flows of a bucket go to the owner; those that the previous owner has seen stay there.

    Owner 0 is nobody, previous 0 is none.
    """
    key = (group, number)
    if previous:
        return Entry(BUCKETS, key, "drained", (owner, previous))
    if owner:
        return Entry(BUCKETS, key, "owned", (owner,))
    return Entry(BUCKETS, key, "unowned", ())


def flow_to_instance(flow: FiveTuple, instance: int, idle_timeout_ns: int = 0) -> Entry:
    """A flow goes to an instance, whatever its bucket says."""
    return Entry(FLOW_RULES, flow, "to_instance", (instance,), 0, idle_timeout_ns)


def flow_hold(flow: FiveTuple, migration: int, idle_timeout_ns: int = 0) -> Entry:
    """A flow's packets are sent to the controller, with the migration's number."""
    return Entry(FLOW_RULES, flow, "hold", (migration,), 0, idle_timeout_ns)


def flow_of(entry: Entry) -> FiveTuple:
    """The flow of an entry of `flow_rules`."""
    return FiveTuple._make(entry.key)  # pyright: ignore[reportArgumentType] - all exact


def _network(network: IPv4Network) -> Ternary:
    return Ternary(int(network.network_address), int(network.netmask))


def _protocol(protocol: int | None) -> Ternary:
    return ANY if protocol is None else Ternary(protocol, 0xFF)
