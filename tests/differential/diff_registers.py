"""All registers of a switch: over P4Runtime, and of simple_switch_grpc over Thrift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diff_switch import ProgramSwitch
from finsy.proto import p4i, p4r
from thriftpy2.parser import load_fp
from thriftpy2.protocol import TCyBinaryProtocol, TMultiplexedProtocol
from thriftpy2.thrift import TClient
from thriftpy2.transport import TSocket
from thriftpy2.transport.buffered import TCyBufferedTransport

from controlplane.registers import thrift

_IDL = Path(thrift.__file__).with_name("bmv2.thrift")
_TIMEOUT_MS = 10_000


def read_registers(switch: ProgramSwitch) -> dict[str, list[int]]:
    """The cells, as unsigned numbers, by the register's name; of those that Thrift can say."""
    if not _registers(switch):
        return {}
    if switch.thrift_address is None:
        return _over_p4runtime(switch)
    with switch.switch_side.entered():
        return _over_thrift(switch, switch.thrift_address)


def _registers(switch: ProgramSwitch) -> list[p4i.Register]:
    """What has wider cells than an i64 of Thrift is left to what the packets show of it."""
    return [
        register
        for register in switch.p4info.registers
        if register.type_spec.bitstring.bit.bitwidth < 64
    ]


def _over_p4runtime(switch: ProgramSwitch) -> dict[str, list[int]]:
    cells: dict[str, list[int]] = {}
    for register in _registers(switch):
        entry = p4r.RegisterEntry(register_id=register.preamble.id)
        found = switch.client.read(p4r.Entity(register_entry=entry))
        by_index = {
            each.register_entry.index.index: int.from_bytes(each.register_entry.data.bitstring)
            for each in found
        }
        cells[register.preamble.name] = [by_index[index] for index in range(register.size)]
    return cells


def _over_thrift(switch: ProgramSwitch, address: str) -> dict[str, list[int]]:
    host, _, port = address.rpartition(":")
    transport = TCyBufferedTransport(TSocket(host, int(port), socket_timeout=_TIMEOUT_MS))
    transport.open()
    try:
        with _IDL.open() as file:
            idl: Any = load_fp(file, "bmv2_thrift")
        protocol: Any = TMultiplexedProtocol(TCyBinaryProtocol(transport), "standard")
        client: Any = TClient(idl.Standard, protocol)
        return {
            register.preamble.name: [
                value & (1 << register.type_spec.bitstring.bit.bitwidth or 64) - 1
                for value in client.bm_register_read_all(0, register.preamble.name)
            ]
            for register in _registers(switch)
        }
    finally:
        transport.close()
