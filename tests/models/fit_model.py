"""The flow information table as the P4 program keeps it (`p4src/control/fit.p4`)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from controlplane.p4_constants import (
    FIT_END_HIGH_FIN,
    FIT_END_LOW_FIN,
    FIT_END_RST,
    FIT_SLOTS,
)
from controlplane.registers.reader import Cells, Indices
from controlplane.switch.session import CounterValue
from nf.southbound.flow import FiveTuple

SYN, ACK, FIN, RST = 0x02, 0x10, 0x01, 0x04


class Packet(NamedTuple):
    """A packet of a flow that the switch steers."""

    flow: FiveTuple
    time_us: int
    """By the switch's clock."""
    size: int
    """Of the frame, in bytes."""
    from_low: bool = True
    flags: int = ACK
    """Of TCP."""
    instance: int = 1
    """Where it is steered; 0 while it is held."""


def _crc16_of(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (0xA001 if octet & 1 else 0)
    return octet


_CRC16 = [_crc16_of(octet) for octet in range(256)]


def crc16(octets: bytes) -> int:
    """P4's crc16: CRC-16/ARC, polynomial 0x8005, reflected, from 0."""
    crc = 0
    for octet in octets:
        crc = crc >> 8 ^ _CRC16[(crc ^ octet) & 0xFF]
    return crc


def slots_of(flow: FiveTuple, slots: int = FIT_SLOTS) -> tuple[int, int]:
    """The slots of a flow, one a way."""
    octets = b"".join(
        value.to_bytes(size, "big") for value, size in zip(flow, (4, 4, 2, 2, 1), strict=True)
    )
    return zlib.crc32(octets) % slots, crc16(octets) % slots


class FitModel:
    """Two ways of slots; the registers can be read as those of the switch."""

    def __init__(self, window_us: int, slots: int = FIT_SLOTS) -> None:
        self.window_us = window_us
        self.overflow = 0
        """Packets that were not counted."""
        self._slots = slots
        self._cells = {
            f"way_{way}.fit_{cell}": [0] * slots
            for way in range(2)
            for cell in ("low", "high", "load", "seen")
        }

    def count(self, packet: Packet) -> bool:
        """A packet goes through the switch; whether its flow has found a slot."""
        flow, now = packet.flow, packet.time_us
        low = flow.low_address << 24 | flow.low_port << 8 | flow.protocol
        high = flow.high_address << 16 | flow.high_port
        slots = slots_of(flow, self._slots)
        ways = [self._slot(way, slot) for way, slot in enumerate(slots)]
        live = [seen != 0 and now - (seen >> 8) <= self.window_us for *_, seen in ways]
        match = [live[way] and ways[way][:2] == (low, high) for way in range(2)]
        if all(live) and not any(match):
            self.overflow += 1
            return False
        size, ends, instance = 0, 0, 0
        way = int(match[1] or (not match[0] and live[0]))
        if match[way]:
            size, ends, instance = ways[way][3], ways[way][4] & 0xFF, ways[way][2]
        if flow.protocol == 6:
            if packet.flags & (SYN | ACK) == SYN and ends:
                size, ends = 0, 0
            if packet.flags & RST:
                ends |= FIT_END_RST
            elif packet.flags & FIN:
                ends |= FIT_END_LOW_FIN if packet.from_low else FIT_END_HIGH_FIN
        cells = {
            "low": low,
            "high": high,
            "load": (size + packet.size) << 8 | (packet.instance or instance),
            "seen": now << 8 | ends,
        }
        for cell, value in cells.items():
            self._cells[f"way_{way}.fit_{cell}"][slots[way]] = value
        return True

    def _slot(self, way: int, slot: int) -> tuple[int, int, int, int, int]:
        """Low, high, instance, bytes, seen."""
        low, high, load, seen = (
            self._cells[f"way_{way}.fit_{cell}"][slot] for cell in ("low", "high", "load", "seen")
        )
        return low, high, load & 0xFF, load >> 8, seen

    # --- as the controller sees it ------------------------------------------------------

    def cells(self) -> dict[str, Cells]:
        """The registers."""
        return {name: np.array(values, np.uint64) for name, values in self._cells.items()}

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        """As a RegisterReader."""
        return {name: np.array(self._cells[name], np.uint64) for name in names}

    async def read_cells(self, wanted: Mapping[str, Indices]) -> dict[str, Cells]:
        """As a RegisterReader."""
        return {name: self.cells()[name][at] for name, at in wanted.items()}

    async def close(self) -> None:
        """As a RegisterReader."""

    async def read_counter(self, name: str) -> list[CounterValue]:
        """As a session with the switch."""
        assert name == "fit_overflow"
        return [CounterValue(self.overflow, 0)]
