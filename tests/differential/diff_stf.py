"""The .stf files beside the programs as P4Runtime updates and packets, for any target."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeAlias

from diff_entities import clone_session, multicast_group
from finsy.proto import p4i, p4r

from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.stf.commands import (
    Add,
    AddMirroring,
    AssociateNode,
    Command,
    CreateGroup,
    CreateNode,
    Expect,
    Packet,
    SetDefault,
)
from bmv2.stf.entries import default_entry, entry
from bmv2.stf.names import find
from bmv2.stf.script import parse_script


class Setup(NamedTuple):
    """An update to be written before the next packet."""

    line: int
    update: p4r.Update


class Passage(NamedTuple):
    """A packet to be sent, and all that must come out because of it."""

    packet: Packet
    expected: list[Expect]


Step: TypeAlias = Setup | Passage


class StfSteps:
    """The steps of a file, in order. Raises StfError."""

    def __init__(self, path: Path, p4info: p4i.P4Info) -> None:
        self.steps: list[Step] = []
        self._schema = schema_of(p4info)
        self._nodes: list[CreateNode] = []
        self._replicas: dict[int, list[tuple[int, int]]] = {}
        for command in parse_script(path.read_text()):
            self._add(command)

    def _add(self, command: Command) -> None:
        match command:
            case Packet():
                self.steps.append(Passage(command, []))
            case Expect():
                last = self.steps[-1]
                assert isinstance(last, Passage), f"line {command.line}: no packet before"
                last.expected.append(command)
            case Add():
                table = find(self._schema.tables.values(), "table", command.table)
                self._entry(command.line, p4r.Update.INSERT, entry(table, command))
            case SetDefault():
                table = find(self._schema.tables.values(), "table", command.table)
                self._entry(command.line, p4r.Update.MODIFY, default_entry(table, command))
            case AddMirroring():
                update = clone_session(command.session, [(command.port, 0)])
                self.steps.append(Setup(command.line, update))
            case CreateGroup():
                self._replicas[command.group] = []
                self.steps.append(Setup(command.line, multicast_group(command.group, [])))
            case CreateNode():
                self._nodes.append(command)
            case AssociateNode():
                node = self._nodes[command.node]
                replicas = self._replicas[command.group]
                replicas += [(port, node.rid) for port in node.ports]
                update = multicast_group(command.group, replicas, p4r.Update.MODIFY)
                self.steps.append(Setup(command.line, update))
            case _:
                raise AssertionError(f"line {command.line}: {type(command).__name__}")

    def _entry(self, line: int, kind: p4r.Update.Type.ValueType, message: p4r.TableEntry) -> None:
        update = p4r.Update(type=kind, entity=p4r.Entity(table_entry=message))
        self.steps.append(Setup(line, update))
