"""The tables of a running program, one object each."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

from bmv2.embedded.codegen.tables import TableNumbers
from bmv2.embedded.errors import DuplicateEntry, TableFull
from bmv2.embedded.match import Match
from bmv2.embedded.program.model import Action, Table
from bmv2.embedded.table_keys import ArgumentFormat, KeyFormat, constant_match

_FULL, _DUPLICATE = -1, -2
_DEFAULT_ENTRY = -1
_NO_ACTION = 0xFFFFFFFF


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
        self._nothing = bytes(8 * (numbers.data_words + 1))
        self._keys = KeyFormat(table)
        self._formats = {
            actions[number].name: (number, ArgumentFormat(actions[number], numbers.data_words))
            for number in table.actions
        }
        self._names = {number: action.name for number, action in actions.items()}

    def initialise(self) -> None:
        """Writes what the program says: the default action and the constant entries."""
        self.reset_default()
        for entry in self._table.entries:
            key = [constant_match(match) for match in entry.key]
            # The program's smaller number wins, here the larger one.
            self.add(key, -entry.priority, self._names[entry.action_id], entry.arguments)

    def add(self, key: Sequence[Match], priority: int, action: str, params: Sequence[int]) -> int:
        """Adds an entry; its handle. The larger priority wins.

        Raises TableFull, DuplicateEntry, KeyError for an action that is not the table's.
        """
        number, arguments = self._formats[action]
        packed = self._keys.pack(key)
        result: int = self._call.switch_table_add(
            self._number,
            packed.low,
            packed.high,
            packed.mask,
            priority if self._keys.has_priority else packed.prefix,
            number,
            arguments.pack(params),
        )
        if result >= 0:
            return result
        if result == _FULL:
            raise TableFull(f"table {self._table.name} is full: {self._table.size} entries")
        if result == _DUPLICATE:
            raise DuplicateEntry(f"table {self._table.name} has this entry")
        raise MemoryError(f"table {self._table.name}: no memory for another entry")

    def modify(self, handle: int, action: str, params: Sequence[int]) -> None:
        """Gives an entry another action. Raises KeyError."""
        number, arguments = self._formats[action]
        data = arguments.pack(params)
        self._check(handle, self._call.switch_table_modify(self._number, handle, number, data))

    def delete(self, handle: int) -> None:
        """Removes an entry. Raises KeyError."""
        self._check(handle, self._call.switch_table_delete(self._number, handle))

    def set_default(self, action: str, params: Sequence[int]) -> None:
        """Sets the default action."""
        number, arguments = self._formats[action]
        self._call.switch_table_set_default(self._number, number, arguments.pack(params))

    def reset_default(self) -> None:
        """Sets the default action to that of the program."""
        entry = self._table.default
        if entry is None:
            self._call.switch_table_set_default(self._number, _NO_ACTION, self._nothing)
        else:
            self.set_default(self._names[entry.action_id], entry.arguments)

    def counter(self, handle: int | None) -> tuple[int, int]:
        """Packets and bytes of an entry; of the misses without a handle. Raises KeyError."""
        packets, bytes_ = ctypes.c_uint64(), ctypes.c_uint64()
        code = self._call.switch_entry_counter(
            self._number, _place(handle), ctypes.byref(packets), ctypes.byref(bytes_)
        )
        self._check(handle, code)
        return packets.value, bytes_.value

    def set_counter(self, handle: int | None, packets: int, byte_count: int) -> None:
        """Sets the counter of an entry, or that of the misses. Raises KeyError."""
        place = _place(handle)
        code = self._call.switch_set_entry_counter(self._number, place, packets, byte_count)
        self._check(handle, code)

    def idle_ns(self, handle: int) -> int:
        """How long ago an entry was hit, or inserted. Raises KeyError."""
        idle: int = self._call.switch_entry_idle_ns(self._number, handle)
        self._check(handle, idle)
        return idle

    def _check(self, handle: int | None, code: int) -> None:
        if code < 0:
            raise KeyError(f"table {self._table.name} has no entry with handle {handle}")


def _place(handle: int | None) -> int:
    return _DEFAULT_ENTRY if handle is None else handle
