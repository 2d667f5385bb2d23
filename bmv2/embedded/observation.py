"""What a switch tells of its packets: the log's lines, and recordings of its ports."""

from __future__ import annotations

import logging
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

TRACE = 5
"""A level below those of Python's logging: what is done to a packet. Where it comes along is
shown from the level DEBUG."""

# libpcap's file format: magic for microseconds, version, zone and accuracy, the most bytes
# of a packet, and Ethernet as what they are.
_PCAP_HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)


@dataclass(kw_only=True)
class Observation:
    """What is written of packets, and where. The default is nothing."""

    log_descriptor: int | None = None
    """Open for appending; lines go there as whole ones."""

    level: int = TRACE
    """Lines below it are not written, as in Python's logging."""

    dump_bytes: int = 0
    """How many bytes of each packet that comes or leaves."""

    pcap_directory: Path | None = None
    """Where INTERFACE_in.pcap and INTERFACE_out.pcap are made."""

    _files: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    @property
    def needs_trace(self) -> bool:
        """Whether the program has to be compiled with what traces packets."""
        shows_way = self.level <= logging.DEBUG or self.dump_bytes > 0
        return (self.log_descriptor is not None and shows_way) or self.pcap_directory is not None

    def record(self, interface: str) -> tuple[int, int] | None:
        """The files for packets that come in and go out by an interface; None: no recording.

        They are made once, and closed by `close`. Raises OSError.
        """
        if self.pcap_directory is None:
            return None
        if interface not in self._files:
            self._files[interface] = (
                _create(self.pcap_directory / f"{interface}_in.pcap"),
                _create(self.pcap_directory / f"{interface}_out.pcap"),
            )
        return self._files[interface]

    def close(self) -> None:
        """Ends the recordings."""
        for pair in self._files.values():
            for file in pair:
                os.close(file)
        self._files.clear()


def _create(path: Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    os.write(file, _PCAP_HEADER)
    return file
