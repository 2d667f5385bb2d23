"""A running switch as the tests see it: put entries, process frames, look at the state."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from ptf_controller import Controller
from ptf_fates import Dropped, Fate, Fences
from ptf_fit import REGISTERS, Slot, decode
from ptf_network import PtfNetwork

from controlplane.switch.entries import Entry, Operation, Update
from controlplane.switch.packets import PacketOut
from nf.southbound.flow import FiveTuple

_FRAMES_AT_ONCE = 32  # they find room in the socket of a switch that is slow to read


class PtfSwitch:
    """A switch with the entries of `base` in its tables, to which `restore` leads back."""

    def __init__(self, network: PtfNetwork, controller: Controller, base: Sequence[Entry]) -> None:
        self._network = network
        self.controller = controller
        self._base = {entry.identity: entry for entry in base}
        self._present: dict[object, Entry] = {}
        self._ports = count(20_000)
        self.restore()
        self._fences = Fences(network, controller)
        self._fences.wait_until_ready()
        self._drops = self._read_drops()

    def unused_port(self) -> int:
        """A TCP or UDP port that no flow of this switch has had."""
        return next(self._ports)

    # --- tables -----------------------------------------------------------------------

    def put(self, *wanted: Entry) -> None:
        """Inserts entries, or changes them where they are there already."""
        updates: list[Update] = []
        for entry in wanted:
            is_there = entry.identity in self._present or entry.is_default
            updates.append(Update(Operation.MODIFY if is_there else Operation.INSERT, entry))
            self._present[entry.identity] = entry
        self.controller.write(updates)

    def remove(self, *unwanted: Entry) -> None:
        """Deletes entries."""
        for entry in unwanted:
            del self._present[entry.identity]
        self.controller.write([Update(Operation.DELETE, entry) for entry in unwanted])

    def restore(self) -> None:
        """Makes the tables what they were at the beginning."""
        self.remove(*(entry for key, entry in self._present.items() if key not in self._base))
        self.put(*(entry for key, entry in self._base.items() if self._present.get(key) != entry))

    # --- packets ----------------------------------------------------------------------

    def process(self, port: int, *frames: bytes) -> list[Fate]:
        """Sends frames into a port; what becomes of each: by port, at the controller, dropped."""
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            for frame in frames[start : start + _FRAMES_AT_ONCE]:
                self._network.send(port, frame)
            self._fences.settle(port)
        return self._fates(len(frames))

    def packet_out(self, *packets: PacketOut) -> list[Fate]:
        """Sends packets from the controller; what becomes of each."""
        self.controller.send(packets)
        return self._fates(len(packets))

    def _fates(self, sent: int) -> list[Fate]:
        fates: list[Fate] = [*self._fences.collect()]
        before, self._drops = self._drops, self._read_drops()
        for reason, (old, new) in enumerate(zip(before, self._drops, strict=True)):
            fates += [Dropped(reason)] * (new - old)
        some = fates[:10]
        assert len(fates) == sent, f"{sent} sent, {len(fates)} came out: {some} …"
        return fates

    def _read_drops(self) -> list[int]:
        return [cell.packets for cell in self.controller.counter("drops")]

    # --- state ------------------------------------------------------------------------

    def fit(self) -> dict[FiveTuple, Slot]:
        """The flow information table."""
        return decode(self.controller.cells(REGISTERS))

    def overflow(self) -> tuple[int, int]:
        """Packets and bytes of flows that have found no slot in it."""
        (cell,) = self.controller.counter("fit_overflow")
        return cell.packets, cell.bytes
