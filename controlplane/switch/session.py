"""The session with the switch: P4Runtime, as its primary controller."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, NamedTuple, Self

from finsy.proto import U128, p4r, p4r_grpc

from controlplane.config import SwitchConfig
from controlplane.switch.entries import Entry, KeyValue, Table, Update
from controlplane.switch.errors import SwitchError, UpdateFailure
from controlplane.switch.packets import PacketIn, PacketOut
from controlplane.switch.program import Program
from controlplane.switch.rpc import connect, refused, translated
from controlplane.switch.stream import SwitchStream

_CONNECT_TIMEOUT_S = 10.0
_RPC_TIMEOUT_S = 10.0
_LOAD_TIMEOUT_S = 120.0  # the embedded switch may have to compile the program

_UPDATES_AT_ONCE = 256  # the details of their failures fit into a trailer


class CounterValue(NamedTuple):
    """A counter's cell."""

    packets: int
    bytes: int


class SwitchSession:
    """A session with one switch. An async context manager: leaving it ends the session.

    When the stream breaks, or another controller becomes the primary, `packet_ins`,
    `idle_entries` and every further call raise SwitchError. There is no reconnecting:
    what has been moving has to be looked at first.
    """

    def __init__(self, config: SwitchConfig) -> None:
        """Nothing is opened yet."""
        self._config = config
        self._stack = AsyncExitStack()
        self._stub: Any = None
        self._stream: SwitchStream | None = None
        self._program: Program | None = None
        self._election_id = 0
        self.program_was_loaded = False
        """The switch had another program, or none, when the session started."""

    # --- start and end ----------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connects, becomes the primary, loads the program where it is not. Raises SwitchError."""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the stream and the connection."""
        await self._stack.aclose()

    async def _open(self) -> None:
        config = self._config
        self._program = Program.load(config.p4info, config.program)
        channel = await connect(config.p4runtime, _CONNECT_TIMEOUT_S)
        self._stack.push_async_callback(channel.close)
        self._stub = p4r_grpc.P4RuntimeStub(channel)
        self._stream = SwitchStream(self._stub, self._program, config.device_id, _RPC_TIMEOUT_S)
        self._stack.push_async_callback(self._stream.close)
        # Ids grow with time: a controller that is started anew takes over from one whose
        # end the switch has not noticed yet.
        self._election_id = await self._stream.become_primary(time.time_ns())
        if await self._loaded_cookie() != self._program.cookie:
            await self._load_program()
            self.program_was_loaded = True

    async def _loaded_cookie(self) -> int | None:
        request = p4r.GetForwardingPipelineConfigRequest(
            device_id=self._config.device_id,
            response_type=p4r.GetForwardingPipelineConfigRequest.COOKIE_ONLY,
        )
        try:
            with translated("reading the program"):
                response = await self._stub.GetForwardingPipelineConfig(
                    request, timeout=_RPC_TIMEOUT_S
                )
        except SwitchError as error:
            if error.is_precondition:  # no program yet
                return None
            raise
        config: p4r.ForwardingPipelineConfig = response.config
        return config.cookie.cookie if config.HasField("cookie") else None

    async def _load_program(self) -> None:
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=self._config.device_id,
            election_id=U128.encode(self._election_id),
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
            config=self.program.pipeline_config(),
        )
        with translated("loading the program"):
            await self._stub.SetForwardingPipelineConfig(request, timeout=_LOAD_TIMEOUT_S)

    @property
    def program(self) -> Program:
        """The program that the switch runs. Raises SwitchError before the session is open."""
        if self._program is None:
            raise SwitchError("the session is not open")
        return self._program

    @property
    def stream(self) -> SwitchStream:
        """Packets and idle timeouts. Raises SwitchError before the session is open."""
        if self._stream is None:
            raise SwitchError("the session is not open")
        return self._stream

    # --- tables -----------------------------------------------------------------------

    async def write(self, updates: Sequence[Update]) -> None:
        """Applies updates, in order, in as many writes as it takes.

        A refused update does not stop the others. Raises SwitchError; its `failures` tell
        which updates were refused. Without any, none of this write and of the following
        ones is in force, or, when it is unanswered, that is not known.
        """
        failures: dict[int, UpdateFailure] = {}
        for start in range(0, len(updates), _UPDATES_AT_ONCE):
            try:
                await self._write(updates[start : start + _UPDATES_AT_ONCE])
            except SwitchError as error:
                if not error.failures:
                    raise
                failures |= {start + index: each for index, each in error.failures.items()}
        if failures:
            raise SwitchError(refused("write", failures), failures=failures)

    async def _write(self, updates: Sequence[Update]) -> None:
        self.stream.check()
        request = p4r.WriteRequest(
            device_id=self._config.device_id, election_id=U128.encode(self._election_id)
        )
        encode, add = self.program.encode_update, request.updates.add
        for update in updates:
            encode(update, add())
        with translated("write"):
            await self._stub.Write(request, timeout=_RPC_TIMEOUT_S)

    async def read_entries(self, table: Table) -> list[Entry]:
        """The entries of a table, without its default action. Raises SwitchError."""
        query = p4r.TableEntry(table_id=self.program.table_id(table))
        return await self._read_table(query)

    async def read_default(self, table: Table) -> Entry | None:
        """The default action of a table. Raises SwitchError."""
        query = p4r.TableEntry(table_id=self.program.table_id(table), is_default_action=True)
        found = await self._read_table(query)
        return found[0] if found else None

    async def _read_table(self, query: p4r.TableEntry) -> list[Entry]:
        decode = self.program.decode_entry
        found = await self._read(p4r.Entity(table_entry=query))
        entries = (decode(entity.table_entry) for entity in found)
        return [
            entry
            for entry in entries
            if entry is not None and entry.is_default == query.is_default_action
        ]

    # --- counters ---------------------------------------------------------------------

    async def read_counter(self, name: str) -> list[CounterValue]:
        """All cells of an indirect counter. Raises SwitchError."""
        query = p4r.CounterEntry(counter_id=self.program.counter_id(name))
        found = await self._read(p4r.Entity(counter_entry=query))
        cells = sorted(
            (entity.counter_entry for entity in found), key=lambda cell: cell.index.index
        )
        return [CounterValue(cell.data.packet_count, cell.data.byte_count) for cell in cells]

    async def read_direct_counters(self, table: Table) -> dict[tuple[KeyValue, ...], CounterValue]:
        """The counters of a table's entries, by key. Raises SwitchError."""
        query = p4r.DirectCounterEntry(
            table_entry=p4r.TableEntry(table_id=self.program.table_id(table))
        )
        counters: dict[tuple[KeyValue, ...], CounterValue] = {}
        for entity in await self._read(p4r.Entity(direct_counter_entry=query)):
            message = entity.direct_counter_entry
            entry = self.program.decode_entry(message.table_entry)
            if entry is not None and not entry.is_default:
                data = message.data
                counters[entry.key] = CounterValue(data.packet_count, data.byte_count)
        return counters

    async def _read(self, query: p4r.Entity) -> list[p4r.Entity]:
        self.stream.check()
        request = p4r.ReadRequest(device_id=self._config.device_id, entities=[query])
        found: list[p4r.Entity] = []
        with translated("read"):
            async for response in self._stub.Read(request, timeout=_RPC_TIMEOUT_S):
                found.extend(response.entities)
        return found

    # --- packets and idle timeouts ----------------------------------------------------

    @property
    def refused_packet_outs(self) -> int:
        """Packets that the switch was sent and said it could not take."""
        return self.stream.refused_packet_outs

    async def send(self, packets: Sequence[PacketOut]) -> None:
        """Sends packets in this order; waits while the switch is slow to take them.

        Raises SwitchError; some of the packets may then have been sent.
        """
        await self.stream.send(packets)

    def packet_ins(self) -> AsyncIterator[PacketIn]:
        """Packets as they come, none dropped; for one reader.

        Raises SwitchError when the stream breaks.
        """
        return self.stream.packet_ins()

    def idle_entries(self) -> AsyncIterator[Entry]:
        """Entries that have been idle for their timeout; they are still in their tables.

        For one reader. Raises SwitchError when the stream breaks.
        """
        return self.stream.idle_entries()
