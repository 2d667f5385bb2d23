"""P4Runtime entities from names and texts, as P4Info has them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from finsy.proto import p4i, p4r

INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE

_KIND = p4i.MatchField.MatchType


def encode(value: int) -> bytes:
    """A number as P4Runtime's canonical byte string."""
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8))


class Entities:
    """Makes entities of a program. A name may be an alias; unknown ones raise KeyError."""

    def __init__(self, p4info: p4i.P4Info) -> None:
        self.p4info = p4info
        self._all: dict[str, dict[str, Any]] = {}

    def named(self, kind: str, name: str) -> Any:
        """The description of a table, action, counter … `kind` is P4Info's, e.g. `tables`."""
        if kind not in self._all:
            found = self._all[kind] = {}
            for each in getattr(self.p4info, kind):
                found[each.preamble.alias] = found[each.preamble.name] = each
        return self._all[kind][name]

    def action(self, name: str, arguments: Mapping[str, int]) -> p4r.Action:
        """An action with its arguments by name."""
        info = self.named("actions", name)
        params = [
            p4r.Action.Param(param_id=param.id, value=encode(arguments[param.name]))
            for param in info.params
        ]
        return p4r.Action(action_id=info.preamble.id, params=params)

    def table_entry(
        self,
        table: str,
        key: Mapping[str, str],
        action: p4r.Action | p4r.TableAction | None = None,
        **more: Any,
    ) -> p4r.TableEntry:
        """An entry; without a key the default one. Its key is as `match` reads it."""
        info = self.named("tables", table)
        fields = {field.name: field for field in info.match_fields}
        found = [match(_field(fields, name), text) for name, text in key.items()]
        do = p4r.TableAction(action=action) if isinstance(action, p4r.Action) else action
        return p4r.TableEntry(
            table_id=info.preamble.id,
            match=[each for each in found if each is not None],
            action=do,
            is_default_action=not key and "priority" not in more,
            **more,
        )


def _field(fields: Mapping[str, p4i.MatchField], name: str) -> p4i.MatchField:
    """A key field by its name or the end of it."""
    ends = [field for full, field in fields.items() if full == name or full.endswith(f".{name}")]
    if len(ends) != 1:
        raise KeyError(f"{name}: {sorted(fields)}")
    return ends[0]


def match(field: p4i.MatchField, text: str) -> p4r.FieldMatch | None:
    """A match from a text: `5`, `0x12**` (digits that do not matter), `7..9`; none for any."""
    width, number = field.bitwidth, field.id
    if field.match_type == _KIND.RANGE:
        low, _, high = text.partition("..")
        pair = p4r.FieldMatch.Range(low=encode(int(low, 0)), high=encode(int(high or low, 0)))
        is_any = pair.low == encode(0) and pair.high == encode((1 << width) - 1)
        return None if is_any else p4r.FieldMatch(field_id=number, range=pair)
    value, mask = value_and_mask(text, width)
    encoded = encode(value)
    match field.match_type:
        case _KIND.EXACT:
            return p4r.FieldMatch(field_id=number, exact=p4r.FieldMatch.Exact(value=encoded))
        case _KIND.OPTIONAL:
            if mask == 0:
                return None
            optional = p4r.FieldMatch.Optional(value=encoded)
            return p4r.FieldMatch(field_id=number, optional=optional)
        case _KIND.LPM:
            length = mask.bit_count()
            if length == 0:
                return None
            lpm = p4r.FieldMatch.LPM(value=encoded, prefix_len=length)
            return p4r.FieldMatch(field_id=number, lpm=lpm)
        case _:
            if mask == 0:
                return None
            ternary = p4r.FieldMatch.Ternary(value=encoded, mask=encode(mask))
            return p4r.FieldMatch(field_id=number, ternary=ternary)


def value_and_mask(text: str, width: int) -> tuple[int, int]:
    """A number whose digits may be `*`, within a width."""
    every_bit = (1 << width) - 1
    prefixed = re.fullmatch(r"0([xb])([0-9a-fA-F*]+)", text)
    if prefixed is None:
        return int(text, 0), every_bit
    base = {"x": 16, "b": 2}[prefixed[1]]
    digits = prefixed[2]
    value = int(digits.replace("*", "0"), base)
    top = {16: "f", 2: "1"}[base]
    mask = int(re.sub(r"[^*]", top, digits).replace("*", "0"), base)
    is_full = "*" not in digits
    return value, every_bit if is_full else mask & every_bit


def insert(*messages: p4r.TableEntry) -> list[p4r.Update]:
    """Updates that add entries, or set default ones."""
    return [
        p4r.Update(
            type=MODIFY if message.is_default_action else INSERT,
            entity=p4r.Entity(table_entry=message),
        )
        for message in messages
    ]


def multicast_group(
    group: int,
    replicas: Sequence[tuple[int, int]],
    kind: p4r.Update.Type.ValueType = p4r.Update.INSERT,
) -> p4r.Update:
    """An update of a multicast group of (port, replication id)."""
    entry = p4r.MulticastGroupEntry(multicast_group_id=group, replicas=_replicas(replicas))
    return _engine_update(kind, p4r.PacketReplicationEngineEntry(multicast_group_entry=entry))


def clone_session(
    session: int, replicas: Sequence[tuple[int, int]], packet_length_bytes: int = 0
) -> p4r.Update:
    """An update that makes a clone session."""
    entry = p4r.CloneSessionEntry(
        session_id=session,
        replicas=_replicas(replicas),
        packet_length_bytes=packet_length_bytes,
    )
    return _engine_update(INSERT, p4r.PacketReplicationEngineEntry(clone_session_entry=entry))


def _replicas(replicas: Sequence[tuple[int, int]]) -> list[p4r.Replica]:
    return [p4r.Replica(egress_port=port, instance=rid) for port, rid in replicas]


def _engine_update(
    kind: p4r.Update.Type.ValueType, entry: p4r.PacketReplicationEngineEntry
) -> p4r.Update:
    entity = p4r.Entity(packet_replication_engine_entry=entry)
    return p4r.Update(type=kind, entity=entity)
