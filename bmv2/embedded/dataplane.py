"""A compiled program that forwards packets in a thread of its own."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
from collections.abc import Iterable, Mapping, Sequence

from bmv2.embedded import links
from bmv2.embedded.array_access import CounterArrays, MeterArrays, RegisterArrays
from bmv2.embedded.build import build
from bmv2.embedded.codegen.profiles import number_profiles
from bmv2.embedded.codegen.storage import MAX_PACKET_BYTES
from bmv2.embedded.codegen.tables import number_tables
from bmv2.embedded.errors import CompileError, UnsupportedProgram
from bmv2.embedded.fitted import fitted
from bmv2.embedded.library import FateCounts, Library, PortCounts, describe
from bmv2.embedded.loss_log import LossLog
from bmv2.embedded.match import Match
from bmv2.embedded.meter import MeterRates
from bmv2.embedded.misfits import misfits
from bmv2.embedded.observation import Observation
from bmv2.embedded.p4runtime.backend import Cells, PlainRun
from bmv2.embedded.p4runtime.schema import Schema, Table
from bmv2.embedded.packet_queues import DigestReader, QueueReader
from bmv2.embedded.plain_updates import PlainUpdates
from bmv2.embedded.profile import ProfileTarget
from bmv2.embedded.profile_access import ProfileAccess
from bmv2.embedded.program.model import Program
from bmv2.embedded.table_access import TableAccess
from bmv2.embedded.value_set_access import ValueSets

_log = logging.getLogger(__name__)

__all__ = ["CompileError", "Dataplane", "UnsupportedProgram"]

_MOST_PASSES = 100_000
_MULTICAST, _CLONE = 0, 1
_WHOLE = 0xFFFFFFFF


class Dataplane:
    """One program with its ports, tables and arrays. Names are those of the JSON.

    Everything but `start` and `stop` may be called at any time between the two, and
    before. Methods raise KeyError for a name that the program does not have.
    """

    def __init__(
        self,
        program: Program,
        library: Library,
        *,
        ports: Mapping[int, str | None],
        cpu_port: int,
        observation: Observation | None = None,
    ) -> None:
        """`library` is of this program, and of this data plane alone.

        It is compiled with -DTRACE where the observation needs that.
        """
        self.program = program
        self._ports = dict(ports)
        self._cpu_port = cpu_port
        self._library = library
        self._observation = observation or Observation()
        self._call = library.call
        self._registers = RegisterArrays(self._call, program)
        self._counters = CounterArrays(self._call, program)
        self._meters = MeterArrays(self._call, program)
        self._value_sets = ValueSets(self._call, program)
        self._packets = QueueReader(self._call.switch_receive)
        self._digests = DigestReader(self._call, program)
        self._opened: list[int] = []
        self._losses = LossLog()
        self._is_started = False
        self._is_stopped = False
        _check(self._call.switch_prepare(), "the data plane cannot be prepared")
        numbers = number_tables(program)
        self._tables = {
            table.name: TableAccess(self._call, table, numbers[table.name], program.actions)
            for table in program.tables()
            if table.name in numbers
        }
        self._plain_updates = PlainUpdates(self._call, self._tables, ())
        self._profiles = {
            name: ProfileAccess(self._call, name, each, program.actions)
            for name, each in number_profiles(program).items()
        }
        for table in self._tables.values():
            table.initialise()

    @classmethod
    def load(
        cls,
        program: bytes,
        *,
        ports: Mapping[int, str | None],
        cpu_port: int,
        observation: Observation | None = None,
    ) -> Dataplane:
        """Compiles the JSON of p4c. `ports` is number to interface, None for a virtual port.

        Raises UnsupportedProgram and CompileError.
        """
        is_traced = observation is not None and observation.needs_trace
        model, library = build(program, is_traced=is_traced)
        return cls(model, Library(library), ports=ports, cpu_port=cpu_port, observation=observation)

    def misfit(self, schema: Schema) -> str | None:
        """What a P4Info says that is not so in the program; none where they fit."""
        return next(misfits(self.program, schema), None)

    def fitted(self, schema: Schema) -> Schema:
        """A P4Info that fits, with the widths of values where the program's are smaller."""
        return fitted(self.program, schema)

    # --- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Opens the ports in the caller's network namespace and starts to forward.

        Raises OSError with the name of the interface that cannot be opened.
        """
        self._open_ports()
        _check(self._call.switch_start(), "the data plane's thread")
        self._is_started = True

    @property
    def is_running(self) -> bool:
        """Whether it is started and not yet stopped."""
        return self._is_started and not self._is_stopped

    def process(self) -> None:
        """Takes what was sent into virtual ports through the program, in the caller's thread.

        Instead of `start`, for tests: when it returns every packet has come out, or will not.
        Raises RuntimeError when the data plane is started, and OSError when packets still go
        round after very many passes.
        """
        if self._is_started:
            raise RuntimeError("a data plane that is started processes packets by itself")
        self._open_ports()
        _check(self._call.switch_process(_MOST_PASSES), "packets go round without end")

    def _open_ports(self) -> None:
        for number, interface in {**self._ports, self._cpu_port: None}.items():
            if number not in self._opened:
                name = None if interface is None else interface.encode()
                _check(self._call.switch_add_port(number, name), f"interface {interface}")
                self._opened.append(number)
                files = None if interface is None else self._observation.record(interface)
                if files is not None:
                    _check(self._call.switch_record(number, *files), f"interface {interface}")
        if self._observation.log_descriptor is not None:
            observed = self._observation
            self._call.switch_log(observed.log_descriptor, observed.level, observed.dump_bytes)

    def stop(self) -> None:
        """Stops forwarding for good. Stopping twice is no error."""
        if not self._is_stopped:
            self._is_stopped = True
            self.log_counts()
            self._call.switch_stop()

    def has_port(self, number: int) -> bool:
        """Whether there is a port with this number."""
        return number in self._ports

    def down_ports(self) -> frozenset[int]:
        """The ports whose interfaces are down, or gone. Virtual ports are up."""
        interfaces = {
            number: name for number, name in self._ports.items() if name and number in self._opened
        }
        return links.down(interfaces)

    # --- packets ----------------------------------------------------------------------------

    def send(self, port: int, packet: bytes) -> None:
        """Sends a packet into the pipeline as if it came in by a port.

        Raises OSError when it is too large, or when more than 64 MB wait.
        """
        if len(packet) > MAX_PACKET_BYTES:
            what = f"a packet of {len(packet)} bytes, it can have at most {MAX_PACKET_BYTES}"
            raise OSError(errno.EMSGSIZE, what)
        _check(self._call.switch_send(port, packet, len(packet)), "the queue of packets is full")

    def receive(self) -> list[tuple[int, bytes]]:
        """Takes packets that left by virtual ports, the CPU port among them, in order.

        At most 4 MB; `packet_in_fileno` stays readable while more wait.
        """
        return list(self._packets.take())

    def send_packet_out(self, packet: bytes) -> None:
        """Sends a packet into the pipeline as if it came in by the CPU port. Raises OSError."""
        self.send(self._cpu_port, packet)

    def packet_in_fileno(self) -> int:
        """A descriptor that is readable while packets of virtual ports wait."""
        return self._call.switch_receive_descriptor()

    def receive_packet_ins(self) -> list[bytes]:
        """Takes packets for the controller, in order, as `receive` does."""
        return [packet for port, packet in self.receive() if port == self._cpu_port]

    def digest_fileno(self) -> int:
        """A descriptor that is readable while digests wait."""
        return self._call.switch_digest_descriptor()

    def receive_digests(self) -> list[tuple[str, tuple[int, ...]]]:
        """Takes digests that wait, in order: the list's name, its fields' values.

        `digest_fileno` stays readable while more wait.
        """
        return self._digests.take()

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

    def table_add_indirect(
        self, table: str, key: Sequence[Match], priority: int, target: ProfileTarget
    ) -> int:
        """Adds an entry that names a member or a group; its handle. The larger priority wins.

        Raises TableFull, DuplicateEntry.
        """
        return self._tables[table].add_indirect(key, priority, target)

    def table_modify_indirect(self, table: str, handle: int, target: ProfileTarget) -> None:
        """Lets an entry name another member or group."""
        self._tables[table].modify_indirect(handle, target)

    def table_delete(self, table: str, handle: int) -> None:
        """Removes an entry."""
        self._tables[table].delete(handle)

    def expect_plain_updates(self, tables: Iterable[Table]) -> None:
        """Gets ready to be told to `write_plain` entries of tables that P4Info has."""
        self._plain_updates = PlainUpdates(self._call, self._tables, tables)

    def write_plain(self, request: bytes, begin: int) -> PlainRun:
        """Does updates of a serialised WriteRequest; see `Backend`. Not thread-safe."""
        return self._plain_updates.write(request, begin)

    def table_set_default(self, table: str, action: str, params: Sequence[int]) -> None:
        """Gives a table another default action."""
        self._tables[table].set_default(action, params)

    def table_reset_default(self, table: str) -> None:
        """Gives a table the default action of the program again."""
        self._tables[table].reset_default()

    def initial_entries(self, table: str) -> Sequence[int]:
        """The handles of the entries that the program has, in its order."""
        return self._tables[table].initial_entries

    def entry_counter(self, table: str, handle: int | None) -> tuple[int, int]:
        """Packets and bytes of an entry's direct counter; of the misses without a handle."""
        return self._tables[table].counter(handle)

    def set_entry_counter(
        self, table: str, handle: int | None, packets: int, byte_count: int
    ) -> None:
        """Sets an entry's direct counter, or that of the misses."""
        self._tables[table].set_counter(handle, packets, byte_count)

    def entry_meter(self, table: str, handle: int | None) -> MeterRates | None:
        """The rates of an entry's direct meter, of the misses' without a handle.

        None when it is not configured: all packets are green.
        """
        return self._tables[table].meter(handle)

    def set_entry_meter(self, table: str, handle: int | None, rates: MeterRates | None) -> None:
        """Configures an entry's direct meter, or that of the misses; None: not any more."""
        self._tables[table].set_meter(handle, rates)

    def entry_idle_ns(self, table: str, handle: int) -> int:
        """How long ago an entry was hit, or inserted."""
        return self._tables[table].idle_ns(handle)

    # --- action profiles and value sets -----------------------------------------------------

    def member_add(self, profile: str, action: str, params: Sequence[int]) -> int:
        """Adds a member to an action profile; its handle."""
        return self._profiles[profile].member_add(action, params)

    def member_modify(self, profile: str, member: int, action: str, params: Sequence[int]) -> None:
        """Gives a member another action."""
        self._profiles[profile].member_modify(member, action, params)

    def member_delete(self, profile: str, member: int) -> None:
        """Removes a member, which no entry and no group may name."""
        self._profiles[profile].member_delete(member)

    def group_add(self, profile: str, members: Sequence[int]) -> int:
        """Adds a group of members, repeated by weight; its handle."""
        return self._profiles[profile].group_add(members)

    def group_modify(self, profile: str, group: int, members: Sequence[int]) -> None:
        """Gives a group other members."""
        self._profiles[profile].group_modify(group, members)

    def group_delete(self, profile: str, group: int) -> None:
        """Removes a group, which no entry may name."""
        self._profiles[profile].group_delete(group)

    def value_set_write(self, name: str, members: Sequence[Sequence[Match]]) -> None:
        """Replaces the members of a parser value set, each with one match a field.

        Raises TableFull.
        """
        self._value_sets.write(name, members)

    # --- arrays -----------------------------------------------------------------------------

    def counter_read(self, name: str, index: int) -> tuple[int, int]:
        """Packets and bytes of a counter's cell. Raises IndexError."""
        return self._counters.read(name, index)

    def counter_write(self, name: str, index: int, packets: int, byte_count: int) -> None:
        """Sets a counter's cell. Raises IndexError."""
        self._counters.write(name, index, packets, byte_count)

    def meter_read(self, name: str, index: int) -> MeterRates | None:
        """The rates of a meter's cell; None when it is not configured. Raises IndexError."""
        return self._meters.read(name, index)

    def meter_write(self, name: str, index: int, rates: MeterRates | None) -> None:
        """Configures a meter's cell; None: all packets are green. Raises IndexError."""
        self._meters.write(name, index, rates)

    def register_read(self, name: str) -> Cells:
        """All cells as they were at one moment: uint64 of shape (size,).

        Of cells wider than 64 bits the shape is (size, words), the lowest word first.
        """
        return self._registers.read(name)

    def register_write(self, name: str, index: int, value: int) -> None:
        """Sets a register's cell. Raises IndexError."""
        self._registers.write(name, index, value)

    def register_messages(self, name: str, register_id: int, first: int, count: int) -> bytes:
        """Cells as a serialised p4.v1.ReadResponse, one entity a cell. Raises IndexError."""
        return self._registers.messages(name, register_id, first, count)

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

    def log_counts(self) -> None:
        """Writes to the log what came and went by each port, and what left by none, and why."""
        for number in self._opened:
            _log.info("port %d: %s", number, describe(self.port_counts(number)))
        _log.info("packets that left by no port: %s", describe(self.fate_counts()))

    def log_losses(self) -> None:
        """Warns in the log of packets and digests that were lost since the last call."""
        self._losses.tell(
            {port: self.port_counts(port) for port in self._opened}, self.fate_counts()
        )

    def fate_counts(self) -> FateCounts:
        """What became of the packets that went out by no port."""
        counts = FateCounts()
        self._call.switch_fate_counts(ctypes.byref(counts))
        return counts


def _check(error: int, what: str) -> None:
    if error:
        raise OSError(error, f"{what}: {os.strerror(error)}")
