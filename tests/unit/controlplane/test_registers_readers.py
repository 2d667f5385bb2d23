"""Reading registers of a model of the switch, over P4Runtime and over Thrift."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from fit_model import FitModel, Packet
from p4runtime_model import SwitchModel, serving
from thriftpy2.parser import load
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TMultiplexedProcessor, TProcessor
from thriftpy2.transport import TBufferedTransportFactory, TServerSocket

from controlplane import registers
from controlplane.config import SwitchConfig
from controlplane.detection.fit import NAMES, REGISTERS
from controlplane.p4_constants import FIT_SLOTS
from controlplane.registers.choose import open_reader
from controlplane.registers.p4runtime import P4RuntimeRegisters
from controlplane.registers.reader import RegisterReader
from controlplane.registers.thrift import ThriftRegisters
from controlplane.switch.errors import SwitchError
from controlplane.switch.program import Program
from nf.southbound.flow import FiveTuple

BUILD = Path(__file__).parents[3] / "p4src" / "build"
PROGRAM = Program.load(BUILD / "uhaul.p4info.txtpb", BUILD / "uhaul.json")


def fit() -> FitModel:
    model = FitModel(100_000)
    for number in range(200):
        flow = FiveTuple(number, 1 << 31, number, 65535, 6)
        model.count(Packet(flow, (1 << 46) + number, 1500, instance=255))
    return model


def p4runtime_registers(model: FitModel) -> dict[int, list[int]]:
    return {
        PROGRAM.register(name).preamble.id: values.tolist()
        for name, values in model.cells().items()
    }


def config(directory: Path, thrift: str | None = None) -> SwitchConfig:
    return SwitchConfig(
        name="s1",
        p4runtime=f"unix:{directory}/p4rt.sock",
        thrift=thrift,
        program=BUILD / "uhaul.json",
        p4info=BUILD / "uhaul.p4info.txtpb",
    )


class BulkReads:
    """BMv2's service "standard", as far as it is asked."""

    def __init__(self, model: FitModel, idl: Any) -> None:
        self._cells = {
            PROGRAM.register(name).preamble.name: values.tolist()
            for name, values in model.cells().items()
        }
        self._idl = idl

    def bm_register_read_all(self, context: int, register_name: str) -> list[int]:
        assert context == 0
        if register_name not in self._cells:
            raise self._idl.InvalidRegisterOperation(code=1)
        return self._cells[register_name]

    def bm_register_read(self, context: int, register_name: str, index: int) -> int:
        return self.bm_register_read_all(context, register_name)[index]


@contextmanager
def thrift_server(model: FitModel) -> Generator[str]:
    """BMv2's Thrift server over the model; its address."""
    idl: Any = load(str(Path(registers.__file__).with_name("bmv2.thrift")), "bmv2_thrift")
    processor = TMultiplexedProcessor()
    processor.register_processor("standard", TProcessor(idl.Standard, BulkReads(model, idl)))
    transport: Any = TServerSocket("127.0.0.1", 0, client_timeout=0)
    transport.listen()
    server = TThreadedServer(
        processor,
        transport,
        iprot_factory=TBinaryProtocolFactory(),
        itrans_factory=TBufferedTransportFactory(),
    )

    def serve() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                client = transport.accept()
                threading.Thread(target=server.handle, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{transport.sock.getsockname()[1]}"
    finally:
        transport.close()


async def check(reader: RegisterReader, model: FitModel) -> None:
    for _ in range(2):
        found = await reader.read(REGISTERS)
        assert list(found) == list(REGISTERS)
        for name, values in model.cells().items():
            assert found[name].dtype == np.uint64
            assert (found[name] == values).all()
    random = np.random.default_rng(5)
    for count in (0, 1, 16, 17, 65):
        wanted = {name: random.permutation(FIT_SLOTS)[:count] for name in NAMES}
        some = await reader.read_cells(wanted)
        assert list(some) == list(NAMES)
        for name, at in wanted.items():
            assert some[name].dtype == np.uint64
            assert (some[name] == model.cells()[name][at]).all()


async def test_p4runtime(tmp_path: Path) -> None:
    model = fit()
    switch = SwitchModel(registers=p4runtime_registers(model))
    async with serving(switch, config(tmp_path).p4runtime):
        reader = await open_reader(config(tmp_path), PROGRAM)
        assert isinstance(reader, P4RuntimeRegisters)
        await check(reader, model)
        await reader.close()


async def test_thrift_where_p4runtime_has_none(tmp_path: Path) -> None:
    model = fit()
    switch = SwitchModel(register_refusal=grpc.StatusCode.UNIMPLEMENTED)
    with thrift_server(model) as address:
        async with serving(switch, config(tmp_path).p4runtime):
            reader = await open_reader(config(tmp_path, address), PROGRAM)
            assert isinstance(reader, ThriftRegisters)
            await check(reader, model)
            await asyncio.gather(*(check(reader, model) for _ in range(3)))
            await reader.close()


@pytest.mark.parametrize(
    ("refusal", "thrift", "words"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, None, "switch.thrift is needed"),
        (grpc.StatusCode.UNIMPLEMENTED, "127.0.0.1:1", "Thrift server 127.0.0.1:1"),
        (grpc.StatusCode.PERMISSION_DENIED, "127.0.0.1:1", "PERMISSION_DENIED"),
    ],
)
async def test_nobody_reads_registers(
    tmp_path: Path, refusal: grpc.StatusCode, thrift: str | None, words: str
) -> None:
    switch = SwitchModel(register_refusal=refusal)
    async with serving(switch, config(tmp_path).p4runtime):
        with pytest.raises(SwitchError, match=words) as caught:
            await open_reader(config(tmp_path, thrift), PROGRAM)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("case", "where", "instead", "words"),
    [
        ("a cell is missing", slice(8191, 8192), [], "left out cells of way_0.fit_seen"),
        ("a cell too many", slice(8192, 8192), [1], "beyond the end of way_0.fit_seen"),
        ("nothing comes", slice(None), [], "left out cells of way_0.fit_seen"),
    ],
)
async def test_p4runtime_answers_that_are_wrong(
    tmp_path: Path, case: str, where: slice, instead: list[int], words: str
) -> None:
    switch = SwitchModel(registers=p4runtime_registers(fit()))
    switch.registers[PROGRAM.register("way_0.fit_seen").preamble.id][where] = instead
    async with serving(switch, config(tmp_path).p4runtime):
        reader = await P4RuntimeRegisters.open(PROGRAM, config(tmp_path).p4runtime, 1)
        with pytest.raises(SwitchError, match=words):
            await reader.read(REGISTERS)
        await reader.close()


def broken_server(answers: list[bytes]) -> str:
    """Takes a connection for each answer, gives it to whatever is asked, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{listener.getsockname()[1]}"


async def test_a_broken_thrift_server_is_one_line() -> None:
    reader = await ThriftRegisters.open(PROGRAM, broken_server([b"", b"\0\0\0\x05hello"]))
    for _ in range(3):
        with pytest.raises(SwitchError, match=r"Thrift server 127\.0\.0\.1") as caught:
            await reader.read(REGISTERS)
        assert caught.value.is_unanswered
        assert "\n" not in str(caught.value)
    await reader.close()
