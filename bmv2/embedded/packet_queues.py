"""What a running program hands out: packets of virtual ports, and digests."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator

from bmv2.embedded.codegen.digests import field_widths
from bmv2.embedded.codegen.storage import word_count
from bmv2.embedded.program.model import Program
from bmv2.embedded.table_keys import WORD_BYTES

_ROOM = 4 << 20
_HEAD = struct.Struct("<II")


class QueueReader:
    """Takes the items of a queue of the library, each a number and bytes."""

    def __init__(self, receive: Callable[[ctypes.Array[ctypes.c_char], int], int]) -> None:
        """`receive` fills a buffer of a size and says how many bytes it has used."""
        self._receive = receive
        self._room = ctypes.create_string_buffer(_ROOM)

    def take(self) -> Iterator[tuple[int, bytes]]:
        """Takes items that wait, in order: a roomful, as more may come as fast as it reads.

        The queue's descriptor stays readable while more wait.
        """
        used = self._receive(self._room, _ROOM)
        data = ctypes.string_at(self._room, used)
        place = 0
        while place < used:
            number, length = _HEAD.unpack_from(data, place)
            place += _HEAD.size
            yield number, data[place : place + length]
            place += length


class DigestReader:
    """Takes the digests of a program."""

    def __init__(self, call: ctypes.CDLL, program: Program) -> None:
        self._queue = QueueReader(call.switch_receive_digests)
        self._lists = {
            number: (
                digest.name,
                [WORD_BYTES * word_count(width) for width in field_widths(program, digest)],
            )
            for number, digest in program.digests.items()
        }

    def take(self) -> list[tuple[str, tuple[int, ...]]]:
        """Takes what waits, in order: the list's name, and the values of its fields."""
        return [self._digest(number, data) for number, data in self._queue.take()]

    def _digest(self, number: int, data: bytes) -> tuple[str, tuple[int, ...]]:
        name, sizes = self._lists[number]
        values: list[int] = []
        place = 0
        for size in sizes:
            values.append(int.from_bytes(data[place : place + size], "little"))
            place += size
        return name, tuple(values)
