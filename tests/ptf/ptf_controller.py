"""The controller's session with the switch, for tests that are not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar

from controlplane.config import SwitchConfig
from controlplane.registers.choose import open_reader
from controlplane.registers.reader import Cells
from controlplane.switch.entries import Entry, KeyValue, Table, Update
from controlplane.switch.packets import PacketIn, PacketOut
from controlplane.switch.session import CounterValue, SwitchSession
from testbed.namespace import NetworkNamespace

_T = TypeVar("_T")
_WAIT_S = 10.0


class Controller:
    """A context manager: leaving it ends the session. Every call raises SwitchError."""

    def __init__(self, config: SwitchConfig, namespace: NetworkNamespace) -> None:
        """Nothing is opened yet; `namespace` is where the switch is."""
        self._config = config
        self._namespace = namespace
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()

    def __enter__(self) -> Self:
        try:
            self._run(self._open)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    async def _open(self) -> None:
        self._session = await self._stack.enter_async_context(SwitchSession(self._config))
        self._registers = await open_reader(self._config, self._session.program)
        self._stack.push_async_callback(self._registers.close)
        self._packet_ins = self._session.packet_ins()
        self._idle_entries = self._session.idle_entries()

    def _close(self) -> None:
        self._run(self._stack.aclose)
        self._runner.close()

    def _run(self, job: Callable[[], Awaitable[_T]]) -> _T:
        async def bounded() -> _T:
            async with asyncio.timeout(_WAIT_S):
                return await job()

        # The threads that it may start for Thrift belong there as well.
        with self._namespace.entered():
            return self._runner.run(bounded())

    def write(self, updates: Sequence[Update]) -> None:
        """Applies updates of tables."""
        self._run(lambda: self._session.write(updates))

    def entries(self, table: Table) -> list[Entry]:
        """The entries of a table."""
        return self._run(lambda: self._session.read_entries(table))

    def default(self, table: Table) -> Entry | None:
        """The default action of a table."""
        return self._run(lambda: self._session.read_default(table))

    def send(self, packets: Sequence[PacketOut]) -> None:
        """Sends packets to the switch."""
        self._run(lambda: self._session.send(packets))

    def packet_ins_until(self, migration: int) -> list[PacketIn]:
        """Packets that have come before the one with this migration number."""

        async def take() -> list[PacketIn]:
            found: list[PacketIn] = []
            while (packet := await anext(self._packet_ins)).migration != migration:
                found.append(packet)
            return found

        return self._run(take)

    def idle_entry(self) -> Entry:
        """The next entry that the switch says is idle."""
        return self._run(lambda: anext(self._idle_entries))

    def counter(self, name: str) -> list[CounterValue]:
        """An indirect counter."""
        return self._run(lambda: self._session.read_counter(name))

    def direct_counters(self, table: Table) -> dict[tuple[KeyValue, ...], CounterValue]:
        """The counters of a table's entries, by key."""
        return self._run(lambda: self._session.read_direct_counters(table))

    def cells(self, names: Sequence[str]) -> dict[str, Cells]:
        """Registers, whole."""
        return self._run(lambda: self._registers.read(names))
