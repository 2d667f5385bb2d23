"""Plays an STF script on the embedded switch, through P4Runtime and virtual ports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finsy.proto import p4i, p4r

from bmv2.embedded.dataplane import Dataplane
from bmv2.embedded.p4runtime.errors import P4RuntimeError
from bmv2.embedded.p4runtime.p4info import schema_of
from bmv2.embedded.p4runtime.pipeline import Pipeline
from bmv2.stf.entries import default_entry, entry
from bmv2.stf.errors import StfError
from bmv2.stf.names import find
from bmv2.stf.outputs import complaints
from bmv2.stf.script import (
    Add,
    AddMirroring,
    AssociateNode,
    CheckCounter,
    Command,
    CreateGroup,
    CreateNode,
    Expect,
    Packet,
    SetDefault,
    WriteRegister,
)

CPU_PORT = 510


def play(program: bytes, p4info: p4i.P4Info, script: Sequence[Command]) -> list[str]:
    """What went otherwise than the script says, a line each; empty when nothing did.

    Raises StfError where a command cannot be done, UnsupportedProgram and CompileError.
    """
    dataplane = Dataplane.load(program, ports=_ports(script), cpu_port=CPU_PORT)
    try:
        config = p4r.ForwardingPipelineConfig(p4info=p4info, p4_device_config=program)
        player = _Player(dataplane, Pipeline(config, schema_of(p4info), dataplane))
        for command in script:
            try:
                player.do(command)
            except (StfError, P4RuntimeError) as error:
                raise StfError(f"line {command.line}: {error}") from error
        expected = [command for command in script if isinstance(command, Expect)]
        return player.complaints + complaints(expected, player.received)
    except P4RuntimeError as error:
        raise StfError(str(error)) from error
    finally:
        dataplane.stop()


def _ports(script: Iterable[Command]) -> dict[int, str | None]:
    """The ports of a script, all of them virtual."""
    ports: dict[int, str | None] = {}
    for command in script:
        match command:
            case Packet() | Expect() | AddMirroring():
                ports[command.port] = None
            case CreateNode():
                ports.update(dict.fromkeys(command.ports))
            case _:
                pass
    return ports


class _Player:
    def __init__(self, dataplane: Dataplane, pipeline: Pipeline) -> None:
        self._dataplane = dataplane
        self._pipeline = pipeline
        self._schema = pipeline.schema
        self._nodes: list[CreateNode] = []
        self._groups: dict[int, list[CreateNode]] = {}
        self.received: list[tuple[int, bytes]] = []
        """Port and bytes of what has come out, in order."""
        self.complaints: list[str] = []

    def do(self, command: Command) -> None:
        """Does one command. Raises StfError and P4RuntimeError."""
        match command:
            case Packet():
                self._dataplane.send(command.port, command.data)
                self._dataplane.process()
                self.received += self._dataplane.receive()
            case Expect():
                pass  # compared when all is over
            case Add():
                table = find(self._schema.tables.values(), "table", command.table)
                self._write(p4r.Update.INSERT, p4r.Entity(table_entry=entry(table, command)))
            case SetDefault():
                table = find(self._schema.tables.values(), "table", command.table)
                message = default_entry(table, command)
                self._write(p4r.Update.MODIFY, p4r.Entity(table_entry=message))
            case AddMirroring():
                message = p4r.CloneSessionEntry(
                    session_id=command.session, replicas=[_replica(command.port, 0)]
                )
                self._replicate(
                    p4r.Update.INSERT, p4r.PacketReplicationEngineEntry(clone_session_entry=message)
                )
            case CreateGroup():
                self._groups[command.group] = []
                self._write_group(p4r.Update.INSERT, command.group)
            case CreateNode():
                self._nodes.append(command)
            case AssociateNode():
                self._associate(command)
            case WriteRegister():
                register = find(self._schema.registers.values(), "register", command.register)
                self._dataplane.register_write(register.name, command.index, command.value)
            case CheckCounter():
                self._check_counter(command)

    def _write(self, kind: p4r.Update.Type.ValueType, entity: p4r.Entity) -> None:
        self._pipeline.entities.write(p4r.Update(type=kind, entity=entity))

    def _replicate(
        self, kind: p4r.Update.Type.ValueType, message: p4r.PacketReplicationEngineEntry
    ) -> None:
        self._write(kind, p4r.Entity(packet_replication_engine_entry=message))

    def _associate(self, command: AssociateNode) -> None:
        if command.group not in self._groups or command.node >= len(self._nodes):
            raise StfError(f"there is no group {command.group} or no node {command.node}")
        self._groups[command.group].append(self._nodes[command.node])
        self._write_group(p4r.Update.MODIFY, command.group)

    def _write_group(self, kind: p4r.Update.Type.ValueType, group: int) -> None:
        replicas = [_replica(port, node.rid) for node in self._groups[group] for port in node.ports]
        message = p4r.MulticastGroupEntry(multicast_group_id=group, replicas=replicas)
        self._replicate(kind, p4r.PacketReplicationEngineEntry(multicast_group_entry=message))

    def _check_counter(self, command: CheckCounter) -> None:
        counter = find(self._schema.counters.values(), "counter", command.counter)
        packets, byte_count = self._dataplane.counter_read(counter.name, command.index)
        value = byte_count if command.is_bytes else packets
        if value != command.value:
            unit = "bytes" if command.is_bytes else "packets"
            self.complaints.append(
                f"line {command.line}: {counter.name}({command.index}) has {value} {unit}, "
                f"not {command.value}"
            )


def _replica(port: int, rid: int) -> p4r.Replica:
    return p4r.Replica(port=port.to_bytes(4, "big"), instance=rid)
