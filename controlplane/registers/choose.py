"""Which way registers are read on this target."""

from __future__ import annotations

from controlplane.config import SwitchConfig
from controlplane.registers.p4runtime import P4RuntimeRegisters
from controlplane.registers.reader import RegisterReader
from controlplane.registers.thrift import ThriftRegisters
from controlplane.switch.errors import SwitchError
from controlplane.switch.program import Program

_PROBED = "way_0.fit_seen"


async def open_reader(config: SwitchConfig, program: Program) -> RegisterReader:
    """P4Runtime where the switch reads registers with it, Thrift otherwise.

    Raises SwitchError. The session must be open: a switch without a program has no registers.
    """
    reader = await P4RuntimeRegisters.open(program, config.p4runtime, config.device_id)
    try:
        await reader.probe(_PROBED)
    except SwitchError as error:
        await reader.close()
        if not error.is_unsupported:
            raise
        if config.thrift is None:
            raise SwitchError(
                "the switch does not read registers over P4Runtime: switch.thrift is needed"
            ) from error
        return await ThriftRegisters.open(program, config.thrift)
    return reader
