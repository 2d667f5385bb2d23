"""What a switch needs before the first packet: hosts, instances, groups and timers.

Pure functions tell what is to be written; `provision` reads, compares and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Protocol

from controlplane.config import Config
from controlplane.p4_constants import BUCKETS as BUCKET_COUNT
from controlplane.switch import entries
from controlplane.switch.entries import Entry, Operation, Table, Update
from controlplane.topology import Topology

_ORDER = (
    entries.TIMERS,
    entries.GATEWAYS,
    entries.ROUTES,
    entries.NF_PORTS,
    entries.INSTANCES,
    entries.BUCKETS,
    entries.STEER,  # last: what is steered finds everything else in place
)
"""The order in which tables are filled. They are emptied the other way round."""


class Tables(Protocol):
    """The tables of a switch, as `SwitchSession` has them."""

    async def read_entries(self, table: Table) -> list[Entry]:
        """The entries of a table."""
        ...

    async def read_default(self, table: Table) -> Entry | None:
        """The default action of a table."""
        ...

    async def write(self, updates: Sequence[Update]) -> None:
        """Applies updates in order."""
        ...


class Owners(Protocol):
    """Who remembers how buckets were turned."""

    def buckets(self, group: int) -> Mapping[int, Sequence[int]]:
        """The buckets of a group: owner and previous owner, by number."""
        ...


async def provision(
    tables: Tables, config: Config, topology: Topology, turned: Sequence[Entry] = ()
) -> int:
    """Makes the switch as the configuration says; the number of updates it took.

    `turned` are buckets as they were turned last, for a switch that has none. The table
    `flow_rules` is left alone: its entries belong to flows that have been moved.
    Raises SwitchError.
    """
    present: list[Entry] = []
    for table in _ORDER:
        if table.key:
            present += await tables.read_entries(table)
        else:
            default = await tables.read_default(table)
            present += [] if default is None else [default]
    updates = difference(present, wanted(config, topology, (*turned, *present)))
    if updates:
        await tables.write(updates)
    return len(updates)


def difference(present: Iterable[Entry], wanted: Iterable[Entry]) -> list[Update]:
    """The updates that turn what is present into what is wanted, in order."""
    there = {entry.identity: entry for entry in present}
    target = {entry.identity: entry for entry in wanted}
    rank = {table.name: number for number, table in enumerate(_ORDER)}
    deletes = [
        Update(Operation.DELETE, entry)
        for identity, entry in there.items()
        if identity not in target and not entry.is_default
    ]
    deletes.sort(key=lambda update: -rank[update.entry.table.name])
    writes: list[Update] = []
    for identity, entry in target.items():
        if there.get(identity) != entry:
            is_there = identity in there or entry.is_default
            writes.append(Update(Operation.MODIFY if is_there else Operation.INSERT, entry))
    writes.sort(key=lambda update: rank[update.entry.table.name])
    return deletes + writes


def wanted(config: Config, topology: Topology, present: Iterable[Entry] = ()) -> list[Entry]:
    """The entries that a switch with this configuration has.

    A bucket that is present and belongs to instances of its group stays as it is: a move
    has turned it, and the state of its flows is where it points.
    """
    timers = config.timers
    return [
        entries.timers(timers.activity_window_ms * 1000, round(timers.affinity_timeout_s * 1e6)),
        *_hosts(config, topology),
        *_instances(config, topology),
        *_buckets(config, present),
        *_steer(config),
    ]


def _hosts(config: Config, topology: Topology) -> Iterator[Entry]:
    gateway_mac = _mac(config.gateway_mac)
    for gateway in sorted({host.gateway for host in config.hosts}):
        yield entries.gateway(gateway, gateway_mac)
    for host in config.hosts:
        address = IPv4Network(host.address.ip)
        yield entries.route(address, topology.port(host.name), gateway_mac, _mac(host.mac))


def _instances(config: Config, topology: Topology) -> Iterator[Entry]:
    for instance in config.instances:
        port = topology.port(instance.name)
        yield entries.nf_port(port, instance.id)
        yield entries.instance_port(instance.id, port)


def _buckets(config: Config, present: Iterable[Entry]) -> Iterator[Entry]:
    buckets = {entry.key: entry for entry in present if entry.table is entries.BUCKETS}
    for group in config.groups:
        members = {config.instances_by_name[name].id for name in group.instances}
        owners = [config.instances_by_name[name].id for name in group.owners]
        for number in range(BUCKET_COUNT):
            entry = entries.bucket(group.id, number, owners[number % len(owners)])
            current = buckets.get(entry.key)
            is_ours = current is not None and current.params and members.issuperset(current.params)
            yield current if current is not None and is_ours else entry


def turned_buckets(config: Config, journal: Owners) -> list[Entry]:
    """The buckets of all groups as they were turned last, as far as they ever were."""
    return [
        entries.bucket(group.id, number, *bucket)
        for group in config.groups
        for number, bucket in journal.buckets(group.id).items()
    ]


def _steer(config: Config) -> Iterator[Entry]:
    for group in config.groups:
        for traffic in group.traffic:
            number = traffic.protocol.number
            yield entries.steer(traffic.clients, traffic.servers, number, group.id)
            yield entries.steer(traffic.servers, traffic.clients, number, group.id)


def _mac(mac: str) -> int:
    return int(mac.replace(":", ""), 16)
