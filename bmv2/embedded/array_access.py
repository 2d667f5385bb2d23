"""Counters, meters and registers of a running program."""

from __future__ import annotations

import ctypes

import numpy as np

from bmv2.embedded.codegen.arrays import indirect_meters
from bmv2.embedded.library import Rates
from bmv2.embedded.meter import MeterRates
from bmv2.embedded.p4runtime.backend import Cells
from bmv2.embedded.program.model import Program


def _check_index(name: str, index: int, size: int) -> None:
    if not 0 <= index < size:
        raise IndexError(f"{name}: index {index} is not below its size {size}")


class CounterArrays:
    """The indirect counters of a program."""

    def __init__(self, call: ctypes.CDLL, program: Program) -> None:
        self._call = call
        self._cells = {
            name: (place, each.size) for place, (name, each) in enumerate(program.counters.items())
        }

    def read(self, name: str, index: int) -> tuple[int, int]:
        """Packets and bytes of a cell. Raises KeyError, IndexError."""
        packets, bytes_ = ctypes.c_uint64(), ctypes.c_uint64()
        number = self._number(name, index)
        self._call.switch_counter_read(number, index, ctypes.byref(packets), ctypes.byref(bytes_))
        return packets.value, bytes_.value

    def write(self, name: str, index: int, packets: int, byte_count: int) -> None:
        """Sets a cell. Raises KeyError, IndexError."""
        number = self._number(name, index)
        self._call.switch_counter_write(number, index, packets, byte_count)

    def _number(self, name: str, index: int) -> int:
        number, size = self._cells[name]
        _check_index(name, index, size)
        return number


class MeterArrays:
    """The indirect meters of a program."""

    def __init__(self, call: ctypes.CDLL, program: Program) -> None:
        self._call = call
        self._cells = {
            name: (place, each.size)
            for place, (name, each) in enumerate(indirect_meters(program).items())
        }

    def read(self, name: str, index: int) -> MeterRates | None:
        """A cell's rates, None when it is not configured. Raises KeyError, IndexError."""
        rates = Rates()
        number = self._number(name, index)
        is_configured: bool = self._call.switch_meter_read(number, index, ctypes.byref(rates))
        return rates.value() if is_configured else None

    def write(self, name: str, index: int, rates: MeterRates | None) -> None:
        """Configures a cell, or takes its configuration away. Raises KeyError, IndexError."""
        self._call.switch_meter_write(self._number(name, index), index, Rates.of(rates))

    def _number(self, name: str, index: int) -> int:
        number, size = self._cells[name]
        _check_index(name, index, size)
        return number


class RegisterArrays:
    """The registers of a program."""

    def __init__(self, call: ctypes.CDLL, program: Program) -> None:
        self._call = call
        self._registers = program.registers
        self._numbers = {name: place for place, name in enumerate(program.registers)}
        self._room = ctypes.create_string_buffer(0)
        """For the next message: memory that is new takes longer to get than to fill."""

    def read(self, name: str) -> Cells:
        """All cells as they were at one moment: uint64 of shape (size,).

        Of cells wider than 64 bits the shape is (size, words), the lowest word first.
        Raises KeyError.
        """
        register = self._registers[name]
        count = self._cell_bytes(name) // 8
        shape = (register.size,) if count == 1 else (register.size, count)
        cells = np.zeros(shape, np.uint64)
        self._call.switch_register_read(self._numbers[name], cells.ctypes.data)
        return cells

    def write(self, name: str, index: int, value: int) -> None:
        """Sets a cell. Raises KeyError, IndexError."""
        register = self._registers[name]
        _check_index(name, index, register.size)
        cell = (value & (1 << register.width) - 1).to_bytes(self._cell_bytes(name), "little")
        self._call.switch_register_write(self._numbers[name], index, cell)

    def messages(self, name: str, register_id: int, first: int, count: int) -> bytes:
        """Cells as a serialised p4.v1.ReadResponse, one entity a cell.

        Raises KeyError, IndexError.
        """
        size = self._registers[name].size
        if count <= 0:
            return b""
        _check_index(name, first, size)
        _check_index(name, first + count - 1, size)
        number = self._numbers[name]
        needed = self._call.switch_register_message_room(number, count)
        if needed > len(self._room):
            self._room = ctypes.create_string_buffer(needed)
        used = self._call.switch_register_message(number, register_id, first, count, self._room)
        return ctypes.string_at(self._room, used)

    def _cell_bytes(self, name: str) -> int:
        return self._call.switch_register_cell_bytes(self._numbers[name])
