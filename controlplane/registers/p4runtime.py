"""Registers read over P4Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
from finsy.proto import p4r

from controlplane.registers.decode import Run, decode
from controlplane.registers.reader import Cells, RegisterNames
from controlplane.switch.errors import SwitchError
from controlplane.switch.rpc import connect, translated

_METHOD = "/p4.v1.P4Runtime/Read"
_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 10.0


class P4RuntimeRegisters:
    """Reads registers with P4Runtime's Read, on a connection of its own."""

    def __init__(self, program: RegisterNames, channel: grpc.aio.Channel, device_id: int) -> None:
        """Use `open`."""
        self._program = program
        self._channel = channel
        self._device_id = device_id
        # Without a deserialiser, responses come as bytes.
        self._call: Any = channel.unary_stream(
            _METHOD, request_serializer=p4r.ReadRequest.SerializeToString
        )

    @classmethod
    async def open(cls, program: RegisterNames, address: str, device_id: int) -> P4RuntimeRegisters:
        """Connects. Raises SwitchError."""
        return cls(program, await connect(address, _CONNECT_TIMEOUT_S), device_id)

    async def probe(self, name: str) -> None:
        """Reads one cell. Raises SwitchError, with `is_unsupported` where it never works."""
        query = p4r.RegisterEntry(
            register_id=self._program.register(name).preamble.id, index=p4r.Index(index=0)
        )
        await self._read([query])

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        """All cells of these registers, by name. Raises SwitchError."""
        registers = {name: self._program.register(name) for name in names}
        cells = {name: np.zeros(info.size, np.uint64) for name, info in registers.items()}
        missing = {name: info.size for name, info in registers.items()}
        names_by_id = {info.preamble.id: name for name, info in registers.items()}
        queries = [p4r.RegisterEntry(register_id=number) for number in names_by_id]
        for run in await self._read(queries):
            name = names_by_id.get(run.register_id)
            if name is None:
                raise SwitchError(f"registers: the switch sent {run.register_id:#x} unasked")
            if run.indices.max() >= len(cells[name]) or run.indices.min() < 0:
                raise SwitchError(f"registers: the switch sent cells beyond the end of {name}")
            cells[name][run.indices] = run.values
            missing[name] -= len(run.indices)
        for name, count in missing.items():
            if count:
                raise SwitchError(f"registers: the switch left out cells of {name}")
        return cells

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    async def _read(self, queries: Sequence[p4r.RegisterEntry]) -> list[Run]:
        request = p4r.ReadRequest(
            device_id=self._device_id,
            entities=[p4r.Entity(register_entry=query) for query in queries],
        )
        runs: list[Run] = []
        with translated("registers"):
            # Decoded as they come: all at once would take longer than the transfer, as
            # the arrays between would no longer fit into the processor's cache.
            async for response in self._call(request, timeout=_READ_TIMEOUT_S):
                try:
                    runs += decode(response)
                except ValueError as error:
                    raise SwitchError(f"registers: {error}") from error
        return runs
