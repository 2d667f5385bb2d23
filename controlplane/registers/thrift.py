"""Registers read over BMv2's Thrift server.

BMv2's P4Runtime server answers UNIMPLEMENTED to register reads. A cell comes as a signed
64-bit integer, so no register of the program is wider than 63 bits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from finsy.proto import p4i
from thriftpy2.parser import load_fp
from thriftpy2.protocol import TCyBinaryProtocol, TMultiplexedProtocol
from thriftpy2.protocol.cybin.cybin import ProtocolError
from thriftpy2.thrift import TClient, TException
from thriftpy2.transport import TSocket
from thriftpy2.transport.buffered import TCyBufferedTransport

from controlplane.registers.reader import Cells, Indices, RegisterNames
from controlplane.switch.errors import SwitchError

_IDL = Path(__file__).with_name("bmv2.thrift")
_SERVICE = "standard"
_CONTEXT = 0
_TIMEOUT_MS = 10_000
_FEW = 16
"""Cells of a register that take less time one by one than the whole of it."""


class ThriftRegisters:
    """Reads registers with BMv2's bulk call, in a thread so that the loop goes on."""

    def __init__(self, program: RegisterNames, address: str) -> None:
        """`address` is host:port. Use `open`."""
        self._program = program
        self._address = address
        with _IDL.open() as file:
            self._idl: Any = load_fp(file, "bmv2_thrift")
        self._transport: Any = None
        # Held by the thread that reads: it goes on when whoever waits for it is cancelled.
        self._using = threading.Lock()

    @classmethod
    async def open(cls, program: RegisterNames, address: str) -> ThriftRegisters:
        """Connects. Raises SwitchError."""
        reader = cls(program, address)
        await asyncio.to_thread(reader._open)
        return reader

    async def read(self, names: Sequence[str]) -> dict[str, Cells]:
        """All cells of these registers, by name. Raises SwitchError."""
        return await asyncio.to_thread(self._read, dict.fromkeys(names))

    async def read_cells(self, wanted: Mapping[str, Indices]) -> dict[str, Cells]:
        """These cells of these registers, by name. Raises SwitchError."""
        return await asyncio.to_thread(self._read, wanted)

    async def close(self) -> None:
        """Ends the connection."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._using:
            self._disconnect()

    def _open(self) -> None:
        with self._using, self._translated():
            self._connected()

    def _read(self, wanted: Mapping[str, Indices | None]) -> dict[str, Cells]:
        """The cells that are wanted, register by register; none: all."""
        registers = {name: self._program.register(name) for name in wanted}
        with self._using, self._translated():
            client = self._connected()
            return {
                name: _values(client, registers[name], indices) for name, indices in wanted.items()
            }

    @contextmanager
    def _translated(self) -> Generator[None]:
        """Turns Thrift's errors into SwitchError, and hangs up: the next call connects anew."""
        try:
            yield
        except (TException, ProtocolError, OSError, EOFError) as error:
            self._disconnect()
            reason = " ".join(str(getattr(error, "message", None) or error).split())
            raise SwitchError(
                f"registers: Thrift server {self._address}: {reason}", is_unanswered=True
            ) from error

    def _connected(self) -> Any:
        if self._transport is None:
            host, _, port = self._address.rpartition(":")
            socket = TSocket(host, int(port), socket_timeout=_TIMEOUT_MS)
            transport = TCyBufferedTransport(socket)
            transport.open()
            self._transport = transport
        protocol: Any = TMultiplexedProtocol(TCyBinaryProtocol(self._transport), _SERVICE)
        return TClient(self._idl.Standard, protocol)

    def _disconnect(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _values(client: Any, register: p4i.Register, indices: Indices | None) -> Cells:
    name = register.preamble.name
    if indices is not None and len(indices) <= _FEW:
        few = [client.bm_register_read(_CONTEXT, name, index) for index in indices.tolist()]
        return np.array(few, np.int64).view(np.uint64)
    cells = np.array(client.bm_register_read_all(_CONTEXT, name), np.int64).view(np.uint64)
    if len(cells) != register.size:
        raise SwitchError(f"registers: {name} has {len(cells)} cells")
    return cells if indices is None else cells[indices]
