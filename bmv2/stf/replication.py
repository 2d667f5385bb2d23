"""Multicast groups and clone sessions of STF files as P4Runtime messages.

STF builds groups of nodes, step by step, and clone sessions that send to a group;
P4Runtime knows lists of replicas only, which are written again at each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from finsy.proto import p4r

from bmv2.stf.commands import (
    AddGroupMirroring,
    AddMirroring,
    AssociateNode,
    CreateNode,
    DeleteMirroring,
)
from bmv2.stf.errors import StfError

Write: TypeAlias = Callable[[p4r.Update.Type.ValueType, p4r.PacketReplicationEngineEntry], None]
"""Does one update. Raises P4RuntimeError."""


class Replication:
    """The groups and sessions that a script has made."""

    def __init__(self, write: Write) -> None:
        """None yet."""
        self._write = write
        self._nodes: list[CreateNode] = []
        self._groups: dict[int, list[CreateNode]] = {}
        self._sessions: dict[int, AddMirroring | AddGroupMirroring] = {}

    def create_group(self, group: int) -> None:
        """A group without nodes. Raises P4RuntimeError."""
        self._write_group(p4r.Update.INSERT, group, ())
        self._groups[group] = []

    def create_node(self, node: CreateNode) -> None:
        """Another node."""
        self._nodes.append(node)

    def associate(self, command: AssociateNode) -> None:
        """Makes a node a part of a group. Raises StfError and P4RuntimeError."""
        nodes = self._group(command.group)
        if command.node >= len(self._nodes):
            raise StfError(f"there is no node {command.node}")
        nodes.append(self._nodes[command.node])
        self._write_group(p4r.Update.MODIFY, command.group, _replicas(nodes))
        for session in self._sessions.values():
            if isinstance(session, AddGroupMirroring) and session.group == command.group:
                self._write_session(p4r.Update.MODIFY, session)

    def mirror(self, session: AddMirroring | AddGroupMirroring) -> None:
        """A clone session, in the place of one of its number. Raises as `associate`."""
        exists = session.session in self._sessions
        self._write_session(p4r.Update.MODIFY if exists else p4r.Update.INSERT, session)
        self._sessions[session.session] = session

    def end_mirroring(self, command: DeleteMirroring) -> None:
        """Removes a clone session. Raises P4RuntimeError."""
        self._write(
            p4r.Update.DELETE,
            p4r.PacketReplicationEngineEntry(
                clone_session_entry=p4r.CloneSessionEntry(session_id=command.session)
            ),
        )
        self._sessions.pop(command.session, None)

    def _group(self, group: int) -> list[CreateNode]:
        nodes = self._groups.get(group)
        if nodes is None:
            raise StfError(f"there is no multicast group {group}")
        return nodes

    def _write_group(
        self, kind: p4r.Update.Type.ValueType, group: int, replicas: Iterable[p4r.Replica]
    ) -> None:
        message = p4r.MulticastGroupEntry(multicast_group_id=group, replicas=replicas)
        self._write(kind, p4r.PacketReplicationEngineEntry(multicast_group_entry=message))

    def _write_session(
        self, kind: p4r.Update.Type.ValueType, session: AddMirroring | AddGroupMirroring
    ) -> None:
        match session:
            case AddMirroring():
                replicas = [_replica(session.port, 0)]
            case AddGroupMirroring():
                replicas = _replicas(self._group(session.group))
        message = p4r.CloneSessionEntry(session_id=session.session, replicas=replicas)
        self._write(kind, p4r.PacketReplicationEngineEntry(clone_session_entry=message))


def _replicas(nodes: Iterable[CreateNode]) -> list[p4r.Replica]:
    return [_replica(port, node.rid) for node in nodes for port in node.ports]


def _replica(port: int, rid: int) -> p4r.Replica:
    return p4r.Replica(port=port.to_bytes(4, "big"), instance=rid)
