"""Register cells out of serialised P4Runtime ReadResponse messages.

A message object a cell would take far longer than reading itself, so `cells.c` takes the bytes
apart. `make setup` compiles it; where that was not done, and for a message with anything in it
that is not about registers, protobuf does it, slowly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from finsy.proto import p4r
from google.protobuf.message import DecodeError

_LIBRARY = Path(__file__).with_name("libcells.so")
_SHORTEST = 4  # bytes of an entity with a register entry

_Integers: TypeAlias = npt.NDArray[np.int64]
_Words: TypeAlias = npt.NDArray[np.uint64]


class Run(NamedTuple):
    """Cells of one register, in the order they came."""

    register_id: int
    indices: _Integers
    values: _Words


def decode(response: bytes) -> list[Run]:
    """The cells of a serialised ReadResponse. Raises ValueError when it is none.

    Several serialised messages one after the other are one message with the entities of
    all of them: that is how protobuf merges.
    """
    runs = decode_plain(response)
    return decode_generic(response) if runs is None else runs


def decode_plain(response: bytes) -> list[Run] | None:
    """The same by `cells.c`; none where that does not understand the message."""
    if _decode is None:
        return None
    room = len(response) // _SHORTEST
    ids = np.empty(room, np.uint32)
    indices, values = np.empty(room, np.int64), np.empty(room, np.uint64)
    arrays = (ids.ctypes.data, indices.ctypes.data, values.ctypes.data)
    count = _decode(response, len(response), *arrays)
    if count < 0:
        return None
    changes = np.flatnonzero(ids[1:count] != ids[: max(count - 1, 0)]) + 1
    return [
        Run(int(ids[first]), indices[first:end], values[first:end])
        for first, end in pairwise([0, *changes.tolist(), count])
        if first < end
    ]


def decode_generic(response: bytes) -> list[Run]:
    """The same by protobuf, for any valid encoding. Entities of other kinds are left out."""
    try:
        entities: Any = p4r.ReadResponse.FromString(response).entities
    except DecodeError as error:
        raise ValueError(f"no ReadResponse: {error}") from error
    entries = [each.register_entry for each in entities if each.HasField("register_entry")]
    runs: list[Run] = []
    for register_id, run in groupby(entries, lambda entry: entry.register_id):
        cells = list(run)
        values = [int.from_bytes(cell.data.bitstring) for cell in cells]
        if max(values) >> 64:
            raise ValueError("a register cell has more than 64 bits")
        indices = np.array([cell.index.index for cell in cells], np.int64)
        runs.append(Run(register_id, indices, np.array(values, np.uint64)))
    return runs


def _load() -> Callable[..., int] | None:
    if not _LIBRARY.exists():
        return None
    function = ctypes.CDLL(str(_LIBRARY)).decode
    function.restype = ctypes.c_long
    pointers = (ctypes.c_void_p,) * 3
    function.argtypes = (ctypes.c_char_p, ctypes.c_size_t, *pointers)
    return function


_decode = _load()
