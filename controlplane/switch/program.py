"""The P4 program as P4Info describes it: ids for names, names for ids.

Encodes what the controller writes and decodes what it reads. What the controller expects
of the program is checked once, when the program is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import finsy as fy
from finsy.proto import p4i, p4r
from google.protobuf import text_format

from controlplane.switch.entries import (
    ANY,
    TABLES,
    Entry,
    KeyValue,
    Lpm,
    MatchKind,
    Operation,
    Table,
    Ternary,
    Update,
)
from controlplane.switch.errors import ProgramMismatch, SwitchError
from controlplane.switch.packets import (
    PACKET_IN_FIELDS,
    PACKET_OUT_FIELDS,
    PacketIn,
    PacketOut,
)

_UPDATE_TYPES = {
    Operation.INSERT: p4r.Update.INSERT,
    Operation.MODIFY: p4r.Update.MODIFY,
    Operation.DELETE: p4r.Update.DELETE,
}

_MATCH_TYPES = {
    MatchKind.EXACT: p4i.MatchField.EXACT,
    MatchKind.LPM: p4i.MatchField.LPM,
    MatchKind.TERNARY: p4i.MatchField.TERNARY,
}

_BYTES = tuple(bytes([value]) for value in range(256))


def _bitstring(value: int) -> bytes:
    """The canonical, shortest form (P4Runtime specification, 8.3)."""
    if value < 256:
        return _BYTES[value]
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def find(collection: Iterable[Any], kind: str, name: str) -> Any:
    """The object of a P4Info collection with this name or, alone, this end of its name.

    Raises ProgramMismatch.
    """
    found = [
        each
        for each in collection
        if each.preamble.name == name or each.preamble.name.endswith(f".{name}")
    ]
    if len(found) != 1:
        count = "no" if not found else str(len(found))
        raise ProgramMismatch(f"the P4 program has {count} {kind} {name!r}")
    return found[0]


@dataclass(frozen=True)
class _TableIds:
    table: Table
    id: int
    fields: tuple[tuple[int, MatchKind], ...]
    actions: Mapping[str, int]
    names: Mapping[int, str]


class Program:
    """A P4 program: its P4Info, what the switch loads, and the codec between the two sides."""

    def __init__(self, schema: fy.P4Schema) -> None:
        """Raises ProgramMismatch."""
        self._schema = schema
        self.p4info: p4i.P4Info = schema.p4info
        self._actions = {action.preamble.id: action for action in self.p4info.actions}
        self._tables = {table.name: self._check_table(table) for table in TABLES}
        self._by_id = {ids.id: ids for ids in self._tables.values()}
        self._packet_in = self._check_header("packet_in", PACKET_IN_FIELDS)
        self._packet_out = self._check_header("packet_out", PACKET_OUT_FIELDS)
        self._packet_in_positions = {
            number: position for position, number in enumerate(self._packet_in)
        }

    @classmethod
    def load(cls, p4info: Path, program: Path) -> Program:
        """Reads P4Info (protobuf text) and BMv2's JSON. Raises SwitchError."""
        for path in (p4info, program):
            try:
                path.open("rb").close()
            except OSError as error:
                raise SwitchError(f"{path}: {error.strerror}") from error
        try:
            return cls(fy.P4Schema(p4info, program))
        except (text_format.ParseError, UnicodeDecodeError, ValueError) as error:
            raise SwitchError(f"{p4info}: no P4Info: {' '.join(str(error).split())}") from error

    @property
    def cookie(self) -> int:
        """A number that tells this program, as loaded into a switch, from another one."""
        return self._schema.p4cookie

    def pipeline_config(self) -> p4r.ForwardingPipelineConfig:
        """What the switch is given to load."""
        return self._schema.get_pipeline_config()

    # --- ids ------------------------------------------------------------------------

    def table_id(self, table: Table) -> int:
        """P4Runtime id of a table."""
        return self._tables[table.name].id

    def counter_id(self, name: str) -> int:
        """P4Runtime id of an indirect counter. Raises ProgramMismatch."""
        return find(self.p4info.counters, "counter", name).preamble.id

    def register(self, name: str) -> p4i.Register:
        """A register. Raises ProgramMismatch."""
        return find(self.p4info.registers, "register", name)

    # --- table entries --------------------------------------------------------------

    def encode_update(self, update: Update, message: p4r.Update) -> None:
        """Writes an update into an empty message."""
        entry = update.entry
        ids = self._tables[entry.table.name]
        message.type = _UPDATE_TYPES[update.operation]
        target = message.entity.table_entry
        target.table_id = ids.id
        add_field = target.match.add
        for (field_id, kind), value in zip(ids.fields, entry.key, strict=not entry.is_default):
            if kind is MatchKind.EXACT:
                field = add_field()
                field.field_id = field_id
                field.exact.value = _bitstring(value)  # pyright: ignore[reportArgumentType] - int
            elif isinstance(value, Lpm) and value.prefix:
                field = add_field()
                field.field_id = field_id
                field.lpm.value = _bitstring(value.value)
                field.lpm.prefix_len = value.prefix
            elif isinstance(value, Ternary) and value.mask:
                field = add_field()
                field.field_id = field_id
                field.ternary.value = _bitstring(value.value)
                field.ternary.mask = _bitstring(value.mask)
        if entry.priority:
            target.priority = entry.priority
        if entry.is_default:
            target.is_default_action = True
        if update.operation is not Operation.DELETE:
            action = target.action.action
            action.action_id = ids.actions[entry.action]
            for number, value in enumerate(entry.params, 1):
                param = action.params.add()
                param.param_id = number
                param.value = _bitstring(value)
            if entry.idle_timeout_ns:
                target.idle_timeout_ns = entry.idle_timeout_ns

    def decode_entry(self, message: p4r.TableEntry) -> Entry | None:
        """The entry of a message; none when the controller does not know the table."""
        ids = self._by_id.get(message.table_id)
        if ids is None:
            return None
        action = message.action.action
        params = {param.param_id: param.value for param in action.params}
        return Entry(
            ids.table,
            () if message.is_default_action else _decode_key(ids, message),
            ids.names.get(action.action_id, ""),
            tuple(int.from_bytes(params[number]) for number in sorted(params)),
            message.priority,
            message.idle_timeout_ns,
            message.is_default_action,
        )

    # --- packets --------------------------------------------------------------------

    def encode_packet(self, packet: PacketOut) -> p4r.StreamMessageRequest:
        """A packet_out."""
        message = p4r.StreamMessageRequest()
        out = message.packet
        out.payload = packet.payload
        add = out.metadata.add
        values = (packet.kind, packet.instance, packet.egress_port, 0, packet.migration)
        for number, value in zip(self._packet_out, values, strict=True):
            metadata = add()
            metadata.metadata_id = number
            metadata.value = _bitstring(value)
        return message

    def decode_packet(self, message: p4r.PacketIn) -> tuple[PacketIn, int]:
        """A packet_in, and its number in the sequence of all that the switch has sent."""
        values = [0] * len(PACKET_IN_FIELDS)
        positions = self._packet_in_positions
        for metadata in message.metadata:
            values[positions[metadata.metadata_id]] = int.from_bytes(metadata.value)
        reason, instance, ingress_port, _, migration, sequence = values
        return PacketIn(reason, instance, ingress_port, migration, message.payload), sequence

    # --- what is expected of the program ----------------------------------------------

    def _check_table(self, table: Table) -> _TableIds:
        info: p4i.Table = find(self.p4info.tables, "table", table.name)
        names = [field.name for field in info.match_fields]
        if names != list(table.key):
            raise ProgramMismatch(f"table {table.name!r} has the key {names}")
        for field in info.match_fields:
            if field.match_type != _MATCH_TYPES[table.key[field.name]]:
                raise ProgramMismatch(f"table {table.name!r} matches {field.name!r} otherwise")
        has_idle_timeout = info.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL
        if table.has_idle_timeout and not has_idle_timeout:
            raise ProgramMismatch(f"table {table.name!r} has no idle timeout")
        actions = {
            self._actions[ref.id].preamble.alias: self._actions[ref.id] for ref in info.action_refs
        }
        for name, params in table.actions.items():
            if name not in actions:
                raise ProgramMismatch(f"table {table.name!r} has no action {name!r}")
            found = tuple(param.name for param in actions[name].params)
            if found != params:
                raise ProgramMismatch(f"action {name!r} has the parameters {list(found)}")
        return _TableIds(
            table,
            info.preamble.id,
            tuple((field.id, table.key[field.name]) for field in info.match_fields),
            {name: action.preamble.id for name, action in actions.items()},
            {action.preamble.id: name for name, action in actions.items()},
        )

    def _check_header(self, name: str, fields: tuple[str, ...]) -> tuple[int, ...]:
        """Ids of a packet header's fields, in this order."""
        header: p4i.ControllerPacketMetadata = find(
            self.p4info.controller_packet_metadata, "controller header", name
        )
        found = {metadata.name: metadata.id for metadata in header.metadata}
        if sorted(found) != sorted(fields):
            raise ProgramMismatch(f"header {name!r} has the fields {list(found)}")
        return tuple(found[field] for field in fields)


def _decode_key(ids: _TableIds, message: p4r.TableEntry) -> tuple[KeyValue, ...]:
    matches = {match.field_id: match for match in message.match}
    key: list[KeyValue] = []
    for field_id, kind in ids.fields:
        match = matches.get(field_id)
        if match is None:
            key.append(Lpm(0, 0) if kind is MatchKind.LPM else ANY)
        elif kind is MatchKind.EXACT:
            key.append(int.from_bytes(match.exact.value))
        elif kind is MatchKind.LPM:
            key.append(Lpm(int.from_bytes(match.lpm.value), match.lpm.prefix_len))
        else:
            ternary = match.ternary
            key.append(Ternary(int.from_bytes(ternary.value), int.from_bytes(ternary.mask)))
    return tuple(key)
