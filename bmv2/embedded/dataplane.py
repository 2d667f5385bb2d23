"""A compiled program that forwards packets in a thread of its own."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np

from bmv2.embedded.codegen.generate import generate
from bmv2.embedded.codegen.tables import number_tables
from bmv2.embedded.compiler import compile_library
from bmv2.embedded.errors import CompileError, UnsupportedProgram
from bmv2.embedded.library import FateCounts, Library, PortCounts, describe
from bmv2.embedded.match import Match
from bmv2.embedded.p4runtime.backend import Cells
from bmv2.embedded.program.load import load_program
from bmv2.embedded.program.model import Program
from bmv2.embedded.table_access import TableAccess

_log = logging.getLogger(__name__)

__all__ = ["CompileError", "Dataplane", "UnsupportedProgram"]

_RECEIVE_ROOM = 4 << 20
_MULTICAST, _CLONE = 0, 1
_WHOLE = 0xFFFFFFFF


class Dataplane:
    """One program with its ports, tables and arrays. Names are those of the JSON.

    Everything but `start` and `stop` may be called at any time between the two, and
    before. Methods raise KeyError for a name that the program does not have.
    """

    def __init__(
        self, program: Program, image: bytes, *, ports: Mapping[int, str | None], cpu_port: int
    ) -> None:
        """Loads a compiled program. Raises CompileError."""
        self.program = program
        self._ports = dict(ports)
        self._cpu_port = cpu_port
        self._library = Library(image)
        self._call = self._library.call
        self._registers = {name: place for place, name in enumerate(program.registers)}
        self._counters = {name: place for place, name in enumerate(program.counters)}
        self._opened: list[int] = []
        self._is_started = False
        self._is_stopped = False
        self._receive_room = ctypes.create_string_buffer(_RECEIVE_ROOM)
        _check(self._call.switch_prepare(), "the data plane cannot be prepared")
        numbers = number_tables(program)
        self._tables = {
            table.name: TableAccess(self._call, table, numbers[table.name], program.actions)
            for table in program.tables()
            if table.name in numbers
        }
        for table in self._tables.values():
            table.initialise()

    @classmethod
    def load(cls, program: bytes, *, ports: Mapping[int, str | None], cpu_port: int) -> Dataplane:
        """Compiles the JSON of p4c. `ports` is number to interface, None for a virtual port.

        Raises UnsupportedProgram and CompileError.
        """
        model = load_program(program)
        return cls(model, compile_library(generate(model)), ports=ports, cpu_port=cpu_port)

    # --- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Opens the ports in the caller's network namespace and starts to forward.

        Raises OSError with the name of the interface that cannot be opened.
        """
        self._open_ports()
        _check(self._call.switch_start(), "the data plane's thread")
        self._is_started = True

    def process(self) -> None:
        """Takes what was sent into virtual ports through the program, in the caller's thread.

        Instead of `start`, for tests: when it returns every packet has come out, or will not.
        Raises RuntimeError when the data plane is started.
        """
        if self._is_started:
            raise RuntimeError("a data plane that is started processes packets by itself")
        self._open_ports()
        self._call.switch_process()

    def _open_ports(self) -> None:
        for number, interface in {**self._ports, self._cpu_port: None}.items():
            if number not in self._opened:
                name = None if interface is None else interface.encode()
                _check(self._call.switch_add_port(number, name), f"interface {interface}")
                self._opened.append(number)

    def stop(self) -> None:
        """Stops forwarding for good. Stopping twice is no error."""
        if not self._is_stopped:
            self._is_stopped = True
            for number in self._opened:
                _log.info("port %d: %s", number, describe(self.port_counts(number)))
            _log.info("packets that left by no port: %s", describe(self.fate_counts()))
            self._call.switch_stop()

    # --- packets ----------------------------------------------------------------------------

    def send(self, port: int, packet: bytes) -> None:
        """Sends a packet into the pipeline as if it came in by a port.

        Raises OSError when more than 64 MB wait.
        """
        _check(self._call.switch_send(port, packet, len(packet)), "the queue of packets is full")

    def receive(self) -> list[tuple[int, bytes]]:
        """Takes the packets that left by virtual ports, the CPU port among them, in order."""
        packets: list[tuple[int, bytes]] = []
        while used := self._call.switch_receive(self._receive_room, _RECEIVE_ROOM):
            data = ctypes.string_at(self._receive_room, used)
            place = 0
            while place < used:
                port = int.from_bytes(data[place : place + 4], "little")
                length = int.from_bytes(data[place + 4 : place + 8], "little")
                packets.append((port, data[place + 8 : place + 8 + length]))
                place += 8 + length
        return packets

    def send_packet_out(self, packet: bytes) -> None:
        """Sends a packet into the pipeline as if it came in by the CPU port."""
        self.send(self._cpu_port, packet)

    def packet_in_fileno(self) -> int:
        """A descriptor that is readable while packets of virtual ports wait."""
        return self._call.switch_receive_descriptor()

    def receive_packet_ins(self) -> list[bytes]:
        """Takes the packets for the controller that wait, in order."""
        return [packet for port, packet in self.receive() if port == self._cpu_port]

    # --- tables -----------------------------------------------------------------------------

    def table_add(
        self, table: str, key: Sequence[Match], priority: int, action: str, params: Sequence[int]
    ) -> int:
        """Adds an entry; its handle. The larger priority wins.

        Raises TableFull, DuplicateEntry.
        """
        return self._tables[table].add(key, priority, action, params)

    def table_modify(self, table: str, handle: int, action: str, params: Sequence[int]) -> None:
        """Gives an entry another action."""
        self._tables[table].modify(handle, action, params)

    def table_delete(self, table: str, handle: int) -> None:
        """Removes an entry."""
        self._tables[table].delete(handle)

    def table_set_default(self, table: str, action: str, params: Sequence[int]) -> None:
        """Gives a table another default action."""
        self._tables[table].set_default(action, params)

    def table_reset_default(self, table: str) -> None:
        """Gives a table the default action of the program again."""
        self._tables[table].reset_default()

    def entry_counter(self, table: str, handle: int | None) -> tuple[int, int]:
        """Packets and bytes of an entry's direct counter; of the misses without a handle."""
        return self._tables[table].counter(handle)

    def set_entry_counter(
        self, table: str, handle: int | None, packets: int, byte_count: int
    ) -> None:
        """Sets an entry's direct counter, or that of the misses."""
        self._tables[table].set_counter(handle, packets, byte_count)

    def entry_idle_ns(self, table: str, handle: int) -> int:
        """How long ago an entry was hit, or inserted."""
        return self._tables[table].idle_ns(handle)

    # --- arrays -----------------------------------------------------------------------------

    def counter_read(self, name: str, index: int) -> tuple[int, int]:
        """Packets and bytes of a counter's cell. Raises IndexError."""
        packets, bytes_ = ctypes.c_uint64(), ctypes.c_uint64()
        self._check_index(name, index, self.program.counters[name].size)
        self._call.switch_counter_read(
            self._counters[name], index, ctypes.byref(packets), ctypes.byref(bytes_)
        )
        return packets.value, bytes_.value

    def counter_write(self, name: str, index: int, packets: int, byte_count: int) -> None:
        """Sets a counter's cell. Raises IndexError."""
        self._check_index(name, index, self.program.counters[name].size)
        self._call.switch_counter_write(self._counters[name], index, packets, byte_count)

    def register_read(self, name: str) -> Cells:
        """All cells as they were at one moment: uint64 of shape (size,).

        Of cells wider than 64 bits the shape is (size, words), the lowest word first.
        """
        register = self.program.registers[name]
        count = self._cell_bytes(name) // 8
        shape = (register.size,) if count == 1 else (register.size, count)
        cells = np.zeros(shape, np.uint64)
        self._call.switch_register_read(self._registers[name], cells.ctypes.data)
        return cells

    def register_write(self, name: str, index: int, value: int) -> None:
        """Sets a register's cell. Raises IndexError."""
        register = self.program.registers[name]
        self._check_index(name, index, register.size)
        cell = (value & (1 << register.width) - 1).to_bytes(self._cell_bytes(name), "little")
        self._call.switch_register_write(self._registers[name], index, cell)

    def register_messages(self, name: str, register_id: int, first: int, count: int) -> bytes:
        """Cells as a serialised p4.v1.ReadResponse, one entity a cell. Raises IndexError."""
        size = self.program.registers[name].size
        if count <= 0:
            return b""
        self._check_index(name, first, size)
        self._check_index(name, first + count - 1, size)
        room = ctypes.create_string_buffer(self._call.switch_register_message_room(count))
        used = self._call.switch_register_message(
            self._registers[name], register_id, first, count, room
        )
        return ctypes.string_at(room, used)

    def _cell_bytes(self, name: str) -> int:
        return self._call.switch_register_cell_bytes(self._registers[name])

    @staticmethod
    def _check_index(name: str, index: int, size: int) -> None:
        if not 0 <= index < size:
            raise IndexError(f"{name}: index {index} is not below its size {size}")

    # --- replication ------------------------------------------------------------------------

    def multicast_group_set(self, group: int, replicas: Sequence[tuple[int, int]]) -> None:
        """Makes or changes a multicast group: its copies, each by port and replication id."""
        self._set_replication(_MULTICAST, group, replicas)

    def multicast_group_delete(self, group: int) -> None:
        """Removes a multicast group."""
        self._set_replication(_MULTICAST, group, None)

    def clone_session_set(
        self, session: int, replicas: Sequence[tuple[int, int]], packet_length_bytes: int
    ) -> None:
        """Makes or changes a clone session; copies are cut to a length, 0 leaves them whole."""
        self._set_replication(_CLONE, session, replicas, packet_length_bytes or _WHOLE)

    def clone_session_delete(self, session: int) -> None:
        """Removes a clone session."""
        self._set_replication(_CLONE, session, None)

    def _set_replication(
        self,
        kind: int,
        number: int,
        replicas: Sequence[tuple[int, int]] | None,
        length: int = _WHOLE,
    ) -> None:
        copies = replicas or ()
        ports = (ctypes.c_uint32 * len(copies))(*(port for port, _ in copies))
        rids = (ctypes.c_uint16 * len(copies))(*(rid for _, rid in copies))
        exists = replicas is not None
        error = self._call.switch_set_replication(
            kind, number, exists, len(copies), ports, rids, length
        )
        _check(error, "a multicast group or clone session")

    # --- counts -----------------------------------------------------------------------------

    def port_counts(self, number: int) -> PortCounts:
        """What came in and went out by a port. Raises KeyError."""
        counts = PortCounts()
        if self._call.switch_port_counts(number, ctypes.byref(counts)):
            raise KeyError(f"no port {number}")
        return counts

    def fate_counts(self) -> FateCounts:
        """What became of the packets that went out by no port."""
        counts = FateCounts()
        self._call.switch_fate_counts(ctypes.byref(counts))
        return counts


def _check(error: int, what: str) -> None:
    if error:
        raise OSError(error, f"{what}: {os.strerror(error)}")
