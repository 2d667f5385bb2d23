"""Plays an STF script on the embedded switch, through P4Runtime and virtual ports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finsy.proto import p4i, p4r

from bmv2.embedded.dataplane import Dataplane
from bmv2.embedded.p4runtime.errors import P4RuntimeError
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.stf.cells import Cells
from bmv2.stf.commands import (
    Add,
    AddGroupMirroring,
    AddMirroring,
    AssociateNode,
    CheckCounter,
    Command,
    CreateGroup,
    CreateNode,
    DeleteMirroring,
    Expect,
    Packet,
    ReadRegister,
    RemoveAll,
    SetDefault,
    SetMeter,
    WriteCounter,
    WriteRegister,
)
from bmv2.stf.entries import default_entry, entry
from bmv2.stf.errors import StfError
from bmv2.stf.names import find
from bmv2.stf.outputs import Mismatch, mismatches
from bmv2.stf.replication import Replication

_LAST_PORT = 510


def play(program: bytes, p4info: p4i.P4Info, script: Sequence[Command]) -> list[Mismatch]:
    """What went otherwise than the script says; empty when nothing did.

    The ports are those that packets are sent to or expected of; as on any switch, what goes
    to another port is lost. Raises StfError where a command cannot be done,
    UnsupportedProgram and CompileError.
    """
    ports = {each.port for each in script if isinstance(each, Packet | Expect)}
    dataplane = Dataplane.load(
        program, ports=dict.fromkeys(ports), cpu_port=_port_for_controller(ports)
    )
    try:
        config = p4r.ForwardingPipelineConfig(p4info=p4info, p4_device_config=program)
        player = _Player(dataplane, Pipeline(config, schema_of(p4info), dataplane), p4info)
        for command in script:
            try:
                player.do(command)
            except (StfError, P4RuntimeError, OSError) as error:
                raise StfError(str(error), command.line) from error
        expected = [command for command in script if isinstance(command, Expect)]
        received = [(port, packet) for port, packet in player.received if port in ports]
        return sorted(
            player.mismatches + mismatches(expected, received),
            key=lambda each: (each.line is None, each.line or 0),
        )
    except P4RuntimeError as error:
        raise StfError(str(error)) from error
    finally:
        dataplane.stop()


def _port_for_controller(ports: Iterable[int]) -> int:
    """A port that the script leaves alone."""
    return max(set(range(_LAST_PORT + 1)).difference(ports))


class _Player:
    def __init__(self, dataplane: Dataplane, pipeline: Pipeline, p4info: p4i.P4Info) -> None:
        self._dataplane = dataplane
        self._pipeline = pipeline
        self._cells = Cells(pipeline, p4info)
        self._replication = Replication(self._replicate)
        self._entries: list[p4r.TableEntry] = []
        self._handles: dict[str, p4r.TableEntry] = {}
        self.received: list[tuple[int, bytes]] = []
        """Port and bytes of what has come out, in order."""
        self.mismatches: list[Mismatch] = []

    def do(self, command: Command) -> None:
        """Does one command. Raises StfError, P4RuntimeError and OSError."""
        match command:
            case Packet():
                self._dataplane.send(command.port, command.data)
                self._dataplane.process()
                while received := self._dataplane.receive():
                    self.received += received
            case Expect():
                pass  # compared when all is over
            case Add() | SetDefault() | RemoveAll():
                self._change_table(command)
            case AddMirroring() | AddGroupMirroring():
                self._replication.mirror(command)
            case DeleteMirroring():
                self._replication.end_mirroring(command)
            case CreateGroup():
                self._replication.create_group(command.group)
            case CreateNode():
                self._replication.create_node(command)
            case AssociateNode():
                self._replication.associate(command)
            case WriteRegister():
                self._cells.write_register(command)
            case WriteCounter():
                self._cells.write_counter(command)
            case SetMeter():
                self._cells.set_meter(command)
            case ReadRegister() | CheckCounter():
                self._check(command)

    def _change_table(self, command: Add | SetDefault | RemoveAll) -> None:
        tables = self._pipeline.schema.tables.values()
        match command:
            case Add():
                message = entry(find(tables, "table", command.table), command)
                self._write(p4r.Update.INSERT, p4r.Entity(table_entry=message))
                self._entries.append(message)
                if command.handle:
                    self._handles[command.handle] = message
            case SetDefault():
                message = default_entry(find(tables, "table", command.table), command)
                self._write(p4r.Update.MODIFY, p4r.Entity(table_entry=message))
            case RemoveAll():
                for message in self._entries:
                    self._write(p4r.Update.DELETE, p4r.Entity(table_entry=message))
                self._entries.clear()
                self._handles.clear()

    def _check(self, command: ReadRegister | CheckCounter) -> None:
        match command:
            case ReadRegister():
                wrong = self._cells.read_register(command)
            case CheckCounter(cell=str(handle)):
                wrong = self._cells.check_counter(command, self._handles.get(handle))
            case CheckCounter():
                wrong = self._cells.check_counter(command, None)
        if wrong is not None:
            self.mismatches.append(Mismatch(command.line, wrong))

    def _write(self, kind: p4r.Update.Type.ValueType, entity: p4r.Entity) -> None:
        self._pipeline.entities.write(p4r.Update(type=kind, entity=entity))

    def _replicate(
        self, kind: p4r.Update.Type.ValueType, message: p4r.PacketReplicationEngineEntry
    ) -> None:
        self._write(kind, p4r.Entity(packet_replication_engine_entry=message))
