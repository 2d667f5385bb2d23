"""Updates of table entries that the compiled program takes from the serialised Write.

Most updates are alike and say no more than table, key, priority, action and idle timeout. They
are read and done by C, many at a time; here is what of them the P4Runtime server keeps.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.p4runtime.backend import PlainRun
from bmv2.embedded.p4runtime.schema import Action, MatchType, Table
from bmv2.embedded.table_access import TableAccess
from bmv2.embedded.table_keys import WORD_BYTES

_ROOM = 1024
_DELETE = 3
_U32, _U64 = ctypes.c_uint32, ctypes.c_uint64

_KINDS = {
    MatchType.EXACT: 2,
    MatchType.TERNARY: 3,
    MatchType.LPM: 4,
    MatchType.RANGE: 6,
    MatchType.OPTIONAL: 7,
}
"""`enum match_kind`."""


class _Bits(ctypes.Structure):
    _fields_ = (("id", _U32), ("width", _U32))


class _Field(ctypes.Structure):
    _fields_ = (("bits", _Bits), ("kind", _U32))


class _Action(ctypes.Structure):
    _fields_ = (
        ("id", _U32),
        ("number", _U32),
        ("param_count", _U32),
        ("params", ctypes.POINTER(_Bits)),
    )


class _Table(ctypes.Structure):
    _fields_ = (
        *(("id", _U32), ("number", _U32), ("has_priority", _U32), ("has_idle_timeout", _U32)),
        *(("field_count", _U32), ("action_count", _U32)),
        *(("fields", ctypes.POINTER(_Field)), ("actions", ctypes.POINTER(_Action))),
    )


class _Run(ctypes.Structure):
    _fields_ = (
        *(("next", _U64), ("beyond", _U64), ("idle_timeout_ns", _U64)),
        *(("kind", _U32), ("table", _U32), ("action", _U32), ("count", _U32), ("room", _U32)),
        *(("handles", ctypes.POINTER(_U32)), ("places", ctypes.POINTER(_U64))),
        ("data", ctypes.POINTER(_U64)),
    )


class PlainUpdates:
    """The tables of one program whose plain updates are done so."""

    def __init__(
        self, call: ctypes.CDLL, accesses: Mapping[str, TableAccess], tables: Iterable[Table]
    ) -> None:
        """`accesses` has the program's tables by name; `tables` are those that P4Info has."""
        self._call = call
        self._known = [
            _PlainTable(table, accesses[table.name])
            for table in tables
            if table.name in accesses and _is_plain(table, accesses[table.name])
        ]
        self._tables = (_Table * len(self._known))(*(each.descriptor() for each in self._known))
        place_bytes = max((each.place_bytes for each in self._known), default=0)
        data_bytes = max((each.data_bytes for each in self._known), default=0)
        self._handles = (_U32 * _ROOM)()
        self._places = (_U64 * (_ROOM * place_bytes // WORD_BYTES))()
        self._data = (_U64 * (_ROOM * data_bytes // WORD_BYTES))()
        self._run = _Run(room=_ROOM, handles=self._handles, places=self._places, data=self._data)

    def write(self, request: bytes, begin: int) -> PlainRun:
        """Does the plain updates of a serialised WriteRequest, as `Backend.write_plain` says."""
        run = self._run
        run.next = begin
        count = len(self._tables)
        self._call.switch_write_plain(self._tables, count, request, len(request), ctypes.byref(run))
        if run.count == 0:
            return PlainRun(0, 0, None, 0, (), (), (), run.beyond)
        table = self._known[run.table]
        size = table.place_bytes
        places = ctypes.string_at(self._places, run.count * size)
        action = None if run.kind == _DELETE else table.actions[run.action]
        data = ctypes.string_at(self._data, run.count * table.data_bytes)
        return PlainRun(
            kind=run.kind,
            table_id=table.id,
            action=action,
            idle_timeout_ns=run.idle_timeout_ns,
            handles=self._handles[: run.count],
            places=[places[start : start + size] for start in range(0, len(places), size)],
            arguments=() if action is None else _arguments(action, data, run.count),
            next=run.next,
        )


class _PlainTable:
    """A table, as C is told of it."""

    def __init__(self, table: Table, access: TableAccess) -> None:
        numbers = access.numbers
        self._table = table
        self._number = numbers.number
        self._action_numbers = access.action_numbers
        self.id = table.id
        self.actions = [
            each for each in table.actions.values() if each.id not in table.default_only
        ]
        self.place_bytes = WORD_BYTES * (3 * numbers.key.words + 1)
        self.data_bytes = WORD_BYTES * numbers.data_words

    def descriptor(self) -> _Table:
        """What C is told."""
        fields = [
            _Field(_Bits(each.id, each.width), _KINDS[each.match_type])
            for each in self._table.fields
        ]
        actions = [_action(each, self._action_numbers[each.name]) for each in self.actions]
        return _Table(
            id=self.id,
            number=self._number,
            has_priority=self._table.needs_priority,
            has_idle_timeout=self._table.supports_idle_timeout,
            field_count=len(fields),
            action_count=len(actions),
            fields=(_Field * len(fields))(*fields),
            actions=(_Action * len(actions))(*actions),
        )


def _action(action: Action, number: int) -> _Action:
    params = [_Bits(each.id, each.width) for each in action.params]
    return _Action(action.id, number, len(params), (_Bits * len(params))(*params))


def _is_plain(table: Table, access: TableAccess) -> bool:
    """Whether an update that says no more than that leaves nothing else to be done."""
    key = access.numbers.key.fields
    return (
        bool(table.fields)
        and not table.is_const
        and not table.implementation_id
        and table.direct_meter is None
        and all(field.mask is None for field in key)
        and [field.width for field in table.fields] == [field.width for field in key]
    )


def _arguments(action: Action, data: bytes, count: int) -> Iterable[tuple[int, ...]]:
    """The arguments of calls of an action, all in the same room."""
    if not action.params:
        return repeat((), count)
    room = len(data) // count
    sizes = [WORD_BYTES * word_count(param.width) for param in action.params]
    if all(size == WORD_BYTES for size in sizes):
        return struct.iter_unpack(f"<{len(sizes)}Q{room - sum(sizes)}x", data)
    return [_wide(sizes, data, start) for start in range(0, len(data), room)]


def _wide(sizes: Sequence[int], data: bytes, start: int) -> tuple[int, ...]:
    values: list[int] = []
    for size in sizes:
        values.append(int.from_bytes(data[start : start + size], "little"))
        start += size
    return tuple(values)
