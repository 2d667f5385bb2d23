"""Multicast groups and clone sessions (specification, 9.5 "PacketReplicationEngineEntry")."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from finsy.proto import p4r

from bmv2.embedded.p4runtime import bitstring
from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import (
    Code,
    P4RuntimeError,
    invalid,
    not_found,
    unimplemented,
)

MAX_GROUP = 0xFFFF
"""standard_metadata.mcast_grp has 16 bits."""
MAX_SESSION = 0x7FFF
"""BMv2's mirroring sessions have 15 bits."""
_PORT_BITS = 32

_Message = TypeVar("_Message", p4r.MulticastGroupEntry, p4r.CloneSessionEntry)


class Replication:
    """Reads and writes the packet replication engine of one program."""

    def __init__(self, backend: Backend) -> None:
        """Empty."""
        self._backend = backend
        self._groups: dict[int, p4r.MulticastGroupEntry] = {}
        self._sessions: dict[int, p4r.CloneSessionEntry] = {}

    def write(
        self, kind: p4r.Update.Type.ValueType, message: p4r.PacketReplicationEngineEntry
    ) -> None:
        """Does one update. Raises P4RuntimeError."""
        match message.WhichOneof("type"):
            case "multicast_group_entry":
                self._write_group(kind, message.multicast_group_entry)
            case "clone_session_entry":
                self._write_session(kind, message.clone_session_entry)
            case _:
                raise invalid("a packet replication entry that is neither group nor session")

    def read(self, query: p4r.PacketReplicationEngineEntry) -> Generator[p4r.Entity]:
        """The groups or sessions that a query selects; id 0 selects all. Raises P4RuntimeError."""
        match query.WhichOneof("type"):
            case "multicast_group_entry":
                number = query.multicast_group_entry.multicast_group_id
                for group in _selected(self._groups, number, "multicast group"):
                    entry = p4r.PacketReplicationEngineEntry(multicast_group_entry=group)
                    yield p4r.Entity(packet_replication_engine_entry=entry)
            case "clone_session_entry":
                number = query.clone_session_entry.session_id
                for session in _selected(self._sessions, number, "clone session"):
                    entry = p4r.PacketReplicationEngineEntry(clone_session_entry=session)
                    yield p4r.Entity(packet_replication_engine_entry=entry)
            case _:
                raise invalid("a packet replication entry that is neither group nor session")

    def entries(self) -> list[p4r.PacketReplicationEngineEntry]:
        """Everything that is set."""
        return [
            *(
                p4r.PacketReplicationEngineEntry(multicast_group_entry=each)
                for each in self._groups.values()
            ),
            *(
                p4r.PacketReplicationEngineEntry(clone_session_entry=each)
                for each in self._sessions.values()
            ),
        ]

    def _write_group(
        self, kind: p4r.Update.Type.ValueType, message: p4r.MulticastGroupEntry
    ) -> None:
        number = message.multicast_group_id
        what = f"multicast group {number}"
        if not 0 < number <= MAX_GROUP:
            raise invalid(f"{what}: its id is not 1 … {MAX_GROUP}")
        if kind == p4r.Update.DELETE:
            _remove(self._groups, number, what, self._backend.multicast_group_delete)
            return
        _check_exists(kind, self._groups, number, what)
        self._backend.multicast_group_set(number, _replicas(message.replicas, what))
        self._groups[number] = _kept(message)

    def _write_session(
        self, kind: p4r.Update.Type.ValueType, message: p4r.CloneSessionEntry
    ) -> None:
        number = message.session_id
        what = f"clone session {number}"
        if not 0 < number <= MAX_SESSION:
            raise invalid(f"{what}: its id is not 1 … {MAX_SESSION}")
        if kind == p4r.Update.DELETE:
            _remove(self._sessions, number, what, self._backend.clone_session_delete)
            return
        _check_exists(kind, self._sessions, number, what)
        if message.class_of_service:
            raise unimplemented(f"{what}: a class of service")
        if message.packet_length_bytes < 0:
            raise invalid(f"{what}: a packet length below 0")
        self._backend.clone_session_set(
            number, _replicas(message.replicas, what), message.packet_length_bytes
        )
        self._sessions[number] = _kept(message)


def _selected(entries: dict[int, _Message], number: int, what: str) -> list[_Message]:
    if number == 0:
        return list(entries.values())
    entry = entries.get(number)
    if entry is None:
        raise not_found(f"there is no {what} {number}")
    return [entry]


def _remove(
    entries: dict[int, _Message], number: int, what: str, remove: Callable[[int], None]
) -> None:
    if number not in entries:
        raise not_found(f"there is no {what}")
    remove(number)
    del entries[number]


def _check_exists(
    kind: p4r.Update.Type.ValueType, entries: dict[int, _Message], number: int, what: str
) -> None:
    match kind:
        case p4r.Update.INSERT:
            if number in entries:
                raise P4RuntimeError(Code.ALREADY_EXISTS, f"there is a {what}")
        case p4r.Update.MODIFY:
            if number not in entries:
                raise not_found(f"there is no {what}")
        case _:
            raise invalid(f"{what}: the update has no type")


def _kept(message: _Message) -> _Message:
    """What a Read reports, with canonical ports."""
    kept = type(message)()
    kept.CopyFrom(message)
    for replica in kept.replicas:
        if replica.WhichOneof("port_kind") == "port":
            replica.port = bitstring.canonical(replica.port)
    return kept


def _replicas(replicas: Sequence[p4r.Replica], what: str) -> list[tuple[int, int]]:
    """Port and replication id of each copy."""
    pairs: list[tuple[int, int]] = []
    for replica in replicas:
        if replica.backup_replicas:
            raise unimplemented(f"{what}: backup replicas")
        if replica.WhichOneof("port_kind") == "port":
            port = bitstring.decode(replica.port, _PORT_BITS, f"{what}: a port")
        else:  # of controllers that do not know `port`
            port = replica.egress_port  # pyright: ignore[reportDeprecated]
        if replica.instance > 0xFFFF:
            raise invalid(f"{what}: instance {replica.instance} has more than 16 bits")
        pairs.append((port, replica.instance))
    if len(set(pairs)) != len(pairs):
        raise invalid(f"{what}: two replicas with the same port and instance")
    return pairs
