"""The tables of a running program, one object each."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

from bmv2.embedded.codegen.keys import KeyKind
from bmv2.embedded.codegen.tables import TableNumbers
from bmv2.embedded.errors import DuplicateEntry, TableFull, UnsupportedProgram
from bmv2.embedded.library import Rates
from bmv2.embedded.match import Match
from bmv2.embedded.meter import MeterRates
from bmv2.embedded.profile import Group, ProfileTarget
from bmv2.embedded.program.model import Action, Table
from bmv2.embedded.table_keys import WORD_BYTES, ArgumentFormat, KeyFormat, KeyPart, constant_match

_FULL, _DUPLICATE, _NO_ENTRY = -1, -2, -3
_DEFAULT_ENTRY = -1
_NO_ACTION = 0xFFFFFFFF
_MEMBER, _GROUP = 0, 1


class TableAccess:
    """One table. Entries are named by the handles that `add` gives."""

    def __init__(
        self,
        call: ctypes.CDLL,
        table: Table,
        numbers: TableNumbers,
        actions: Mapping[int, Action],
    ) -> None:
        """`actions` are those of the program, by id. Nothing is written yet."""
        self._call = call
        self._table = table
        self._number = numbers.number
        self._data_bytes = WORD_BYTES * numbers.data_words
        self._has_priority = numbers.key.kind is KeyKind.TERNARY
        self._keys = KeyFormat(
            [
                KeyPart(field.name, field.width, field.match_kind, field.mask)
                for field in numbers.key.fields
            ]
        )
        self._formats = {
            actions[number].name: (number, ArgumentFormat(actions[number], numbers.data_words))
            for number in table.actions
        }
        self._names = {number: action.name for number, action in actions.items()}
        self.numbers = numbers
        """What it is called, and how its keys and arguments lie, in C."""
        self.action_numbers = {name: number for name, (number, _) in self._formats.items()}
        """The actions of its entries."""
        self.initial_entries: tuple[int, ...] = ()
        """Handles of the entries that the program has, in its order."""

    def initialise(self) -> None:
        """Writes what the program says: the default action and the constant entries.

        Raises UnsupportedProgram when two of them have one key, or there are too many.
        """
        self.reset_default()
        # The program's smaller number wins, here the larger one, and the last is above 0: so
        # P4Runtime counts, whose entries may come between.
        top = 1 + max((entry.priority for entry in self._table.entries), default=0)
        handles: list[int] = []
        for number, entry in enumerate(self._table.entries, 1):
            key = [constant_match(match) for match in entry.key]
            action = self._names[entry.action_id]
            try:
                handles.append(self.add(key, top - entry.priority, action, entry.arguments))
            except (TableFull, DuplicateEntry) as error:
                why = "another one before it" if isinstance(error, DuplicateEntry) else "no room"
                raise UnsupportedProgram(
                    f"table {self._table.name}: for its constant entry {number} there is {why}"
                ) from None
        self.initial_entries = tuple(handles)

    # --- entries ----------------------------------------------------------------------------

    def add(self, key: Sequence[Match], priority: int, action: str, params: Sequence[int]) -> int:
        """Adds an entry; its handle. The larger priority wins.

        Raises TableFull, DuplicateEntry, KeyError for an action that is not the table's.
        """
        return self._add(key, priority, *self._pack(action, params))

    def add_indirect(self, key: Sequence[Match], priority: int, target: ProfileTarget) -> int:
        """Adds an entry that names a member or a group; its handle.

        Raises TableFull, DuplicateEntry.
        """
        return self._add(key, priority, *self._pack_target(target))

    def modify(self, handle: int, action: str, params: Sequence[int]) -> None:
        """Gives an entry another action. Raises KeyError."""
        self._modify(handle, *self._pack(action, params))

    def modify_indirect(self, handle: int, target: ProfileTarget) -> None:
        """Lets an entry name another member or group. Raises KeyError."""
        self._modify(handle, *self._pack_target(target))

    def delete(self, handle: int) -> None:
        """Removes an entry. Raises KeyError."""
        self._check(handle, self._call.switch_table_delete(self._number, handle))

    def _pack(self, action: str, params: Sequence[int]) -> tuple[int, bytes]:
        if self._table.profile is not None:
            raise ValueError(f"entries of table {self._table.name} name members and groups")
        number, arguments = self._formats[action]
        return number, arguments.pack(params)

    def _pack_target(self, target: ProfileTarget) -> tuple[int, bytes]:
        if self._table.profile is None:
            raise ValueError(f"table {self._table.name} has no action profile")
        kind = _GROUP if isinstance(target, Group) else _MEMBER
        return kind, target.handle.to_bytes(self._data_bytes, "little")

    def _add(self, key: Sequence[Match], priority: int, action: int, data: bytes) -> int:
        packed = self._keys.pack(key)
        result: int = self._call.switch_table_add(
            self._number,
            packed.low,
            packed.high,
            packed.mask,
            priority if self._has_priority else 0,
            action,
            data,
        )
        if result >= 0:
            return result
        if result == _FULL:
            raise TableFull(f"table {self._table.name} is full: {self._table.size} entries")
        if result == _DUPLICATE:
            raise DuplicateEntry(f"table {self._table.name} has this entry")
        raise MemoryError(f"table {self._table.name}: no memory for another entry")

    def _modify(self, handle: int, action: int, data: bytes) -> None:
        self._check(handle, self._call.switch_table_modify(self._number, handle, action, data))

    # --- the default action -----------------------------------------------------------------

    def set_default(self, action: str, params: Sequence[int]) -> None:
        """Sets the default action."""
        number, arguments = self._formats[action]
        self._call.switch_table_set_default(self._number, number, arguments.pack(params))

    def reset_default(self) -> None:
        """Sets the default action to that of the program."""
        entry = self._table.default
        if entry is None:
            nothing = bytes(self._data_bytes)
            self._call.switch_table_set_default(self._number, _NO_ACTION, nothing)
        else:
            self.set_default(self._names[entry.action_id], entry.arguments)

    # --- what an entry has besides: without a handle it is that of the misses ---------------

    def counter(self, handle: int | None) -> tuple[int, int]:
        """Packets and bytes of an entry. Raises KeyError."""
        packets, bytes_ = ctypes.c_uint64(), ctypes.c_uint64()
        code = self._call.switch_entry_counter(
            self._number, _place(handle), ctypes.byref(packets), ctypes.byref(bytes_)
        )
        self._check(handle, code)
        return packets.value, bytes_.value

    def set_counter(self, handle: int | None, packets: int, byte_count: int) -> None:
        """Sets the counter of an entry. Raises KeyError."""
        place = _place(handle)
        code = self._call.switch_set_entry_counter(self._number, place, packets, byte_count)
        self._check(handle, code)

    def meter(self, handle: int | None) -> MeterRates | None:
        """The rates of an entry's meter, None when it is not configured. Raises KeyError."""
        rates = Rates()
        code: int = self._call.switch_entry_meter(self._number, _place(handle), ctypes.byref(rates))
        self._check(handle, code)
        return rates.value() if code > 0 else None

    def set_meter(self, handle: int | None, rates: MeterRates | None) -> None:
        """Configures an entry's meter, or takes its configuration away. Raises KeyError."""
        code = self._call.switch_set_entry_meter(self._number, _place(handle), Rates.of(rates))
        self._check(handle, code)

    def idle_ns(self, handle: int) -> int:
        """How long ago an entry was hit, or inserted. Raises KeyError."""
        idle: int = self._call.switch_entry_idle_ns(self._number, handle)
        self._check(handle, idle)
        return idle

    def _check(self, handle: int | None, code: int) -> None:
        if code == _NO_ENTRY:
            raise KeyError(f"table {self._table.name} has no entry with handle {handle}")
        if code < 0:
            raise MemoryError(f"table {self._table.name}: no memory for a meter")


def _place(handle: int | None) -> int:
    return _DEFAULT_ENTRY if handle is None else handle
