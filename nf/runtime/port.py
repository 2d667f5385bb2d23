"""Where an instance gets its frames from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Port(Protocol):
    """An interface that frames come in by and go out by."""

    @property
    def interface(self) -> str:
        """Its name."""
        ...

    @property
    def unsent(self) -> int:
        """Frames that could not be sent."""
        ...

    def fileno(self) -> int:
        """A file descriptor that is readable while a frame waits or an error is pending."""
        ...

    def read(self, limit: int) -> Iterator[memoryview]:
        """The frames that wait, at most `limit`.

        Each is valid, and may be written to, until the next one is asked for.
        """
        ...

    def transmit(self, frame: memoryview | bytes) -> bool:
        """Sends a frame as it is; False, and counted, if that fails."""
        ...

    def read_drops(self) -> int:
        """Frames that were lost, since the start, before they could be read."""
        ...

    def take_error(self) -> int:
        """The errno that is pending on the interface, or 0; clears it."""
        ...
