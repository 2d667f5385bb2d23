"""Reads a P4Info message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from finsy.proto import p4i

from bmv2.embedded.p4runtime.data_type import DataType, StructType, data_type
from bmv2.embedded.p4runtime.errors import P4RuntimeError, invalid, unimplemented
from bmv2.embedded.p4runtime.schema import (
    Action,
    ActionProfile,
    Bits,
    Counter,
    Digest,
    MatchField,
    MatchType,
    Meter,
    MeterType,
    Register,
    Schema,
    Table,
    ValueSet,
)

_MATCH_TYPES = {
    p4i.MatchField.EXACT: MatchType.EXACT,
    p4i.MatchField.LPM: MatchType.LPM,
    p4i.MatchField.TERNARY: MatchType.TERNARY,
    p4i.MatchField.RANGE: MatchType.RANGE,
    p4i.MatchField.OPTIONAL: MatchType.OPTIONAL,
}
_METER_TYPES = {
    p4i.MeterSpec.TWO_RATE_THREE_COLOR: MeterType.TWO_RATE_THREE_COLOR,
    p4i.MeterSpec.SINGLE_RATE_THREE_COLOR: MeterType.SINGLE_RATE_THREE_COLOR,
    p4i.MeterSpec.SINGLE_RATE_TWO_COLOR: MeterType.SINGLE_RATE_TWO_COLOR,
}
_ERROR_WIDTH = 32
"""The bits of a value of type error in BMv2: P4Info gives it none."""


def schema_of(p4info: p4i.P4Info) -> Schema:
    """Checks a P4Info and sorts it by id.

    Raises P4RuntimeError: INVALID_ARGUMENT where it contradicts itself, UNIMPLEMENTED
    where it has a type that the server does not know.
    """
    actions = {message.preamble.id: _action(message) for message in p4info.actions}
    counters = {message.preamble.id for message in p4info.direct_counters}
    meters = {message.preamble.id: message.spec for message in p4info.direct_meters}
    tables = {
        message.preamble.id: _table(message, actions, counters, meters) for message in p4info.tables
    }
    return Schema(
        tables=tables,
        action_profiles={
            message.preamble.id: _action_profile(message, tables)
            for message in p4info.action_profiles
        },
        counters={
            message.preamble.id: Counter(message.preamble.id, message.preamble.name, message.size)
            for message in p4info.counters
        },
        meters={message.preamble.id: _meter(message) for message in p4info.meters},
        registers={message.preamble.id: _register(message, p4info) for message in p4info.registers},
        digests={message.preamble.id: _digest(message, p4info) for message in p4info.digests},
        value_sets={message.preamble.id: _value_set(message) for message in p4info.value_sets},
        packet_in=_packet_header(p4info, "packet_in"),
        packet_out=_packet_header(p4info, "packet_out"),
    )


def _width(
    name: str, message: p4i.MatchField | p4i.Action.Param | p4i.ControllerPacketMetadata.Metadata
) -> int:
    if message.bitwidth > 0:
        return message.bitwidth
    if message.HasField("type_name"):
        raise unimplemented(f"{name}: a translated type without a bit width")
    return _ERROR_WIDTH


def _match_fields(what: str, messages: Iterable[p4i.MatchField]) -> tuple[MatchField, ...]:
    return tuple(_match_field(what, message) for message in messages)


def _match_field(what: str, message: p4i.MatchField) -> MatchField:
    match_type = _MATCH_TYPES.get(message.match_type)
    if match_type is None:
        raise unimplemented(f"{what}: the match kind of field {message.name}")
    return MatchField(
        id=message.id,
        # The one field of a value set of bits has no name.
        name=message.name or f"#{message.id}",
        width=_width(f"{what}: field {message.name}", message),
        match_type=match_type,
    )


def _action(message: p4i.Action) -> Action:
    name = message.preamble.name
    return Action(
        id=message.preamble.id,
        name=name,
        params=tuple(
            Bits(param.id, param.name, _width(f"action {name}: {param.name}", param))
            for param in message.params
        ),
    )


def _table(
    message: p4i.Table,
    actions: Mapping[int, Action],
    direct_counters: Iterable[int],
    direct_meters: Mapping[int, p4i.MeterSpec],
) -> Table:
    name = message.preamble.name
    references = message.action_refs
    missing = [reference.id for reference in references if reference.id not in actions]
    if missing:
        raise invalid(f"table {name}: P4Info has no action with id {missing[0]}")
    resources: Sequence[int] = message.direct_resource_ids
    counter = next((number for number in resources if number in direct_counters), None)
    meter = next((number for number in resources if number in direct_meters), None)
    return Table(
        id=message.preamble.id,
        name=name,
        fields=_match_fields(f"table {name}", message.match_fields),
        actions={reference.id: actions[reference.id] for reference in references},
        default_only=frozenset(
            reference.id
            for reference in references
            if reference.scope == p4i.ActionRef.DEFAULT_ONLY
        ),
        table_only=frozenset(
            reference.id for reference in references if reference.scope == p4i.ActionRef.TABLE_ONLY
        ),
        has_const_default=bool(message.const_default_action_id or message.implementation_id),
        is_const=message.is_const_table,
        size=message.size,
        direct_counter_id=counter,
        direct_meter=None if meter is None else _meter_type(name, direct_meters[meter]),
        supports_idle_timeout=message.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL,
        implementation_id=message.implementation_id,
    )


def _action_profile(message: p4i.ActionProfile, tables: Mapping[int, Table]) -> ActionProfile:
    name = message.preamble.name
    users = [tables[number] for number in message.table_ids if number in tables]
    if not users or len(users) != len(message.table_ids):
        raise invalid(f"action profile {name}: P4Info does not have its tables")
    counts_members = message.WhichOneof("selector_size_semantics") == "sum_of_members"
    return ActionProfile(
        id=message.preamble.id,
        name=name,
        # Tables that share a profile have the same actions.
        actions={
            number: action
            for number, action in users[0].actions.items()
            if number not in users[0].default_only
        },
        has_selector=message.with_selector,
        size=message.size,
        max_group_size=message.max_group_size,
        counts_members=counts_members,
        max_member_weight=message.sum_of_members.max_member_weight if counts_members else 0,
        weights_disallowed=message.weights_disallowed,
    )


def _meter_type(name: str, spec: p4i.MeterSpec) -> MeterType:
    meter_type = _METER_TYPES.get(spec.type)
    if meter_type is None:
        raise unimplemented(f"{name}: a meter of type {spec.type}")
    return meter_type


def _meter(message: p4i.Meter) -> Meter:
    name = message.preamble.name
    return Meter(message.preamble.id, name, message.size, _meter_type(name, message.spec))


def _register(message: p4i.Register, p4info: p4i.P4Info) -> Register:
    name = message.preamble.name
    cell = _type_of(f"register {name}", message, p4info)
    if isinstance(cell, StructType):
        raise unimplemented(f"register {name}: cells that are structs")
    return Register(message.preamble.id, name, message.size, cell)


def _digest(message: p4i.Digest, p4info: p4i.P4Info) -> Digest:
    name = message.preamble.name
    return Digest(message.preamble.id, name, _type_of(f"digest {name}", message, p4info))


def _type_of(what: str, message: p4i.Register | p4i.Digest, p4info: p4i.P4Info) -> DataType:
    try:
        return data_type(message.type_spec, p4info.type_info)
    except P4RuntimeError as error:
        raise error.within(what) from error


def _value_set(message: p4i.ValueSet) -> ValueSet:
    name = message.preamble.name
    fields = _match_fields(f"value set {name}", message.match)
    return ValueSet(message.preamble.id, name, fields, message.size)


def _packet_header(p4info: p4i.P4Info, name: str) -> tuple[Bits, ...]:
    for header in p4info.controller_packet_metadata:
        if header.preamble.name == name:
            return tuple(
                Bits(field.id, field.name, _width(f"{name}: {field.name}", field))
                for field in header.metadata
            )
    return ()
