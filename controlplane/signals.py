"""What the daemon does on SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """SIGINT and SIGTERM: they end what is being prepared at once, and what runs in order."""

    def __init__(self) -> None:
        """For the current task."""
        self._task = asyncio.current_task()
        self._stopping: asyncio.Event | None = None

    @contextmanager
    def heeded(self) -> Generator[None]:
        """A signal cancels the task, unless `stopping` says otherwise."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._received)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    @contextmanager
    def stopping(self) -> Generator[asyncio.Event]:
        """A signal sets this event."""
        self._stopping = asyncio.Event()
        try:
            yield self._stopping
        finally:
            self._stopping = None

    def _received(self) -> None:
        if self._stopping is not None:
            self._stopping.set()
        elif self._task is not None:
            self._task.cancel()
