"""Registers read over P4Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from finsy.proto import p4r

from controlplane.registers.decode import Run, decode
from controlplane.registers.reader import Cells, Indices, RegisterNames
from controlplane.switch.errors import SwitchError
from controlplane.switch.rpc import connect, translated

_METHOD = "/p4.v1.P4Runtime/Read"
_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 10.0
_FEW = 64
"""Cells of a register that take less time one by one than the whole of it."""


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
        await self._read({self._program.register(name).preamble.id: [0]})

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        """All cells of these registers, by name. Raises SwitchError."""
        return await self._collect(dict.fromkeys(names))

    async def read_cells(self, wanted: Mapping[str, Indices]) -> dict[str, Cells]:
        """These cells of these registers, by name. Raises SwitchError."""
        few = {name: at if len(at) <= _FEW else None for name, at in wanted.items()}
        cells = await self._collect(few)
        return {name: cells[name][at] for name, at in wanted.items()}

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    async def _collect(self, wanted: Mapping[str, Indices | None]) -> dict[str, Cells]:
        """Registers with the cells that are wanted; none: all. The others are 0."""
        registers = {name: self._program.register(name) for name in wanted}
        cells = {name: np.zeros(info.size, np.uint64) for name, info in registers.items()}
        missing = {
            name: registers[name].size if at is None else len(at) for name, at in wanted.items()
        }
        names_by_id = {info.preamble.id: name for name, info in registers.items()}
        asked = {
            registers[name].preamble.id: None if at is None else at.tolist()
            for name, at in wanted.items()
        }
        for run in await self._read(asked):
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

    async def _read(self, wanted: Mapping[int, list[int] | None]) -> list[Run]:
        """The cells of these indices, or all, of registers by their ids."""
        request = p4r.ReadRequest(device_id=self._device_id)
        for register_id, indices in wanted.items():
            for index in [None] if indices is None else indices:
                query = request.entities.add().register_entry
                query.register_id = register_id
                if index is not None:
                    query.index.index = index
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
