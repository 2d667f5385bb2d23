"""The flow information table and the affinity filter as the P4 program lays them out.

Written against the comments of `p4src/control/fit.p4` and `affinity.p4`, on purpose without
the controller's own decoder: the two check each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt
from fit_model import crc16

from controlplane.p4_constants import FIT_SLOTS
from nf.southbound.flow import FiveTuple

WAYS = ("way_0", "way_1")
REGISTERS = [
    f"{way}.{cell}" for way in WAYS for cell in ("fit_low", "fit_high", "fit_load", "fit_seen")
]
AFFINITY = ["affinity_0", "affinity_1", "affinity_2"]

_SEARCH = 1 << 22


class Slot(NamedTuple):
    """What the table says of a flow."""

    way: int
    instance: int
    bytes: int
    ends: int
    seen_us: int


def decode(cells: Mapping[str, npt.NDArray[np.uint64]]) -> dict[FiveTuple, Slot]:
    """All flows of the table, expired ones included; the newest slot of each."""
    flows: dict[FiveTuple, Slot] = {}
    for way, name in enumerate(WAYS):
        columns = [
            cells[f"{name}.{cell}"] for cell in ("fit_low", "fit_high", "fit_load", "fit_seen")
        ]
        for slot in np.flatnonzero(columns[3]):
            low, high, load, seen = (int(column[slot]) for column in columns)
            flow = FiveTuple(low >> 24, high >> 16, low >> 8 & 0xFFFF, high & 0xFFFF, low & 0xFF)
            assert slot == slots_of(flow)[way]
            found = Slot(way, load & 0xFF, load >> 8, seen & 0xFF, seen >> 8)
            flows[flow] = max(flows.get(flow, found), found, key=lambda each: each.seen_us)
    return flows


def _key(flow: FiveTuple) -> bytes:
    return struct.pack(">IIHHB", *flow)


def slots_of(flow: FiveTuple) -> tuple[int, int]:
    """The slots of a flow in way 0 and in way 1."""
    key = _key(flow)
    return crc32(key) % FIT_SLOTS, crc16(key) % FIT_SLOTS


def affinity_cells_of(flow: FiveTuple, instance: int) -> tuple[int, int, int]:
    """The cells of a flow at an instance in the three registers."""
    key = _key(flow) + bytes([instance])
    mixed = crc32(key)
    return mixed & 0xFFFF, mixed >> 16, crc16(key)


def find_flow(like: FiveTuple, random: Random, is_wanted: Callable[[FiveTuple], bool]) -> FiveTuple:
    """A flow between the same hosts, with random ports, that fulfils a condition."""
    for _ in range(_SEARCH):
        low_port, high_port = random.randrange(1, 1 << 16), random.randrange(1, 1 << 16)
        flow = like._replace(low_port=low_port, high_port=high_port)
        if flow != like and is_wanted(flow):
            return flow
    raise LookupError("no such flow")
