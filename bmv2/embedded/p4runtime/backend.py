"""What the P4Runtime server needs of a running data plane."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from bmv2.embedded.match import Match
from bmv2.embedded.meter import MeterRates
from bmv2.embedded.p4runtime.place import Place
from bmv2.embedded.p4runtime.schema import Action, Schema, Table
from bmv2.embedded.profile import ProfileTarget

Cells: TypeAlias = npt.NDArray[np.uint64]


class PlainRun(NamedTuple):
    """Updates that a data plane did by itself: of one kind, table, action and timeout."""

    kind: int
    """A p4.v1.Update.Type."""
    table_id: int
    action: Action | None
    """What the entries do; none where they were deleted."""
    idle_timeout_ns: int
    """Of the entries; 0: they never expire."""
    handles: Sequence[int]
    """Of the entries, in the order of the updates; none where nothing was done."""
    places: Sequence[Place]
    arguments: Iterable[tuple[int, ...]]
    """Of the action, for each entry."""
    next: int
    """Where in the request to go on: after what was done, or after the update that was not."""


class Backend(Protocol):
    """A program that can forward packets. Names are those of P4Info.

    Tables and arrays can be written before `start()`. A table entry is known by its
    handle; where a handle may be None, that is the default entry.
    """

    def misfit(self, schema: Schema) -> str | None:
        """What a P4Info says that is not so in the program; none where they fit."""
        ...

    def fitted(self, schema: Schema) -> Schema:
        """A P4Info that fits, with the widths of values where the program's are smaller."""
        ...

    def start(self) -> None:
        """Opens the ports and starts to forward. Raises OSError."""
        ...

    def stop(self) -> None:
        """Stops forwarding for good. Stopping twice is no error."""
        ...

    def has_port(self, number: int) -> bool:
        """Whether there is a port with this number."""
        ...

    def down_ports(self) -> frozenset[int]:
        """The ports that have no link just now."""
        ...

    def table_add(
        self, table: str, key: Sequence[Match], priority: int, action: str, params: Sequence[int]
    ) -> int:
        """Adds an entry; its handle. The larger priority wins.

        Raises TableFull, DuplicateEntry.
        """
        ...

    def table_modify(self, table: str, handle: int, action: str, params: Sequence[int]) -> None:
        """Gives an entry another action."""
        ...

    def table_add_indirect(
        self, table: str, key: Sequence[Match], priority: int, target: ProfileTarget
    ) -> int:
        """Adds an entry that has an action profile do it; its handle.

        Raises TableFull, DuplicateEntry.
        """
        ...

    def table_modify_indirect(self, table: str, handle: int, target: ProfileTarget) -> None:
        """Gives such an entry another member or group."""
        ...

    def table_delete(self, table: str, handle: int) -> None:
        """Removes an entry."""
        ...

    def expect_plain_updates(self, tables: Iterable[Table]) -> None:
        """Gets ready to be told to `write_plain` entries of a program's tables."""
        ...

    def write_plain(self, request: bytes, begin: int) -> PlainRun:
        """Does updates of a serialised WriteRequest, from a place in it on.

        Those that come one after the other, are alike, and say no more than table, key,
        priority, action and idle timeout. An update that cannot be done so, or not at all, is
        left out.
        """
        ...

    def table_set_default(self, table: str, action: str, params: Sequence[int]) -> None:
        """Gives a table another default action."""
        ...

    def table_reset_default(self, table: str) -> None:
        """Gives a table the default action of the program again."""
        ...

    def initial_entries(self, table: str) -> Sequence[int]:
        """The handles of the entries that the program has, in its order."""
        ...

    def entry_counter(self, table: str, handle: int | None) -> tuple[int, int]:
        """Packets and bytes of an entry's direct counter."""
        ...

    def set_entry_counter(
        self, table: str, handle: int | None, packets: int, byte_count: int
    ) -> None:
        """Sets an entry's direct counter."""
        ...

    def entry_meter(self, table: str, handle: int | None) -> MeterRates | None:
        """The rates of an entry's direct meter; none where all is green."""
        ...

    def set_entry_meter(self, table: str, handle: int | None, rates: MeterRates | None) -> None:
        """Sets an entry's direct meter."""
        ...

    def entry_idle_ns(self, table: str, handle: int) -> int:
        """How long ago an entry was hit, or inserted."""
        ...

    def member_add(self, profile: str, action: str, params: Sequence[int]) -> int:
        """Adds a member to an action profile; its handle."""
        ...

    def member_modify(self, profile: str, member: int, action: str, params: Sequence[int]) -> None:
        """Gives a member another action."""
        ...

    def member_delete(self, profile: str, member: int) -> None:
        """Removes a member that is in no group and no entry."""
        ...

    def group_add(self, profile: str, members: Sequence[int]) -> int:
        """Adds a group of members, each as often as it weighs; its handle."""
        ...

    def group_modify(self, profile: str, group: int, members: Sequence[int]) -> None:
        """Gives a group other members."""
        ...

    def group_delete(self, profile: str, group: int) -> None:
        """Removes a group that is in no entry."""
        ...

    def counter_read(self, name: str, index: int) -> tuple[int, int]:
        """Packets and bytes of a counter's cell."""
        ...

    def counter_write(self, name: str, index: int, packets: int, byte_count: int) -> None:
        """Sets a counter's cell."""
        ...

    def meter_read(self, name: str, index: int) -> MeterRates | None:
        """The rates of a meter's cell; none where all is green."""
        ...

    def meter_write(self, name: str, index: int, rates: MeterRates | None) -> None:
        """Sets a meter's cell."""
        ...

    def register_read(self, name: str) -> Cells:
        """All cells of a register, as they were at one moment."""
        ...

    def register_write(self, name: str, index: int, value: int) -> None:
        """Sets a register's cell."""
        ...

    def register_messages(self, name: str, register_id: int, first: int, count: int) -> bytes:
        """Cells of a register as a serialised p4.v1.ReadResponse, one entity a cell."""
        ...

    def value_set_write(self, name: str, members: Sequence[Sequence[Match]]) -> None:
        """Replaces the members of a parser value set, each with a match a field."""
        ...

    def multicast_group_set(self, group: int, replicas: Sequence[tuple[int, int]]) -> None:
        """Makes or changes a multicast group: its copies, each by port and replication id."""
        ...

    def multicast_group_delete(self, group: int) -> None:
        """Removes a multicast group."""
        ...

    def clone_session_set(
        self, session: int, replicas: Sequence[tuple[int, int]], packet_length_bytes: int
    ) -> None:
        """Makes or changes a clone session; copies are cut to a length, 0 leaves them whole."""
        ...

    def clone_session_delete(self, session: int) -> None:
        """Removes a clone session."""
        ...

    def send_packet_out(self, packet: bytes) -> None:
        """Sends a packet into the pipeline as if it came in by the CPU port.

        Raises OSError when it is too large, or too many wait.
        """
        ...

    def packet_in_fileno(self) -> int:
        """A descriptor that is readable while packets for the controller wait."""
        ...

    def receive_packet_ins(self) -> list[bytes]:
        """Takes the packets that wait, in order."""
        ...

    def digest_fileno(self) -> int:
        """A descriptor that is readable while digests wait."""
        ...

    def receive_digests(self) -> list[tuple[str, tuple[int, ...]]]:
        """Takes the digests that wait: the name of each, and its fields in their order."""
        ...
