"""How long it takes to read all cells of a register."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bmv2.target import Target
from controlplane.registers.p4runtime import P4RuntimeRegisters
from controlplane.registers.reader import RegisterReader
from controlplane.registers.thrift import ThriftRegisters
from experiments.bench_switch.client import Ids
from experiments.bench_switch.ground import Ground
from experiments.spread import Spread

BUILD = Path(__file__).with_name("program") / "build"
PROGRAM, P4INFO = BUILD / "registers.json", BUILD / "registers.p4info.txtpb"
REGISTERS = {8192: "cells_8k", 65536: "cells_64k"}
"""Cells to register of the program."""


async def measure_reads(
    target: Target, grpc_address: str, device_id: int, ground: Ground, rounds: int
) -> dict[int, Spread]:
    """Milliseconds by number of cells, over the interface that the target reads them with.

    Raises SwitchError.
    """
    # Thrift is on the loopback of the switch's namespace: the thread that reads goes there.
    inside = ground.switch.entered()
    with ThreadPoolExecutor(1, initializer=inside.__enter__) as executor:
        asyncio.get_running_loop().set_default_executor(executor)
        ids = Ids(P4INFO)
        reader: RegisterReader
        if target.thrift_address is None:
            reader = await P4RuntimeRegisters.open(ids, grpc_address, device_id)
        else:
            reader = await ThriftRegisters.open(ids, target.thrift_address)
        try:
            return {cells: await _read(reader, name, rounds) for cells, name in REGISTERS.items()}
        finally:
            await reader.close()


async def _read(reader: RegisterReader, name: str, rounds: int) -> Spread:
    times_ms: list[float] = []
    for _ in range(rounds + 1):
        began_s = time.perf_counter()
        await reader.read([name])
        times_ms.append((time.perf_counter() - began_s) * 1e3)
    return Spread.of(times_ms[1:])  # the first one warms up
