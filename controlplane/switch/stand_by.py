"""A second controller: it waits, as a backup of P4Runtime, until the switch has no primary."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any

from finsy.proto import U128, p4r, p4r_grpc, rpc_code

from controlplane.config import SwitchConfig
from controlplane.switch.errors import SwitchError
from controlplane.switch.rpc import connect, translated

_CONNECT_TIMEOUT_S = 10.0
_PAUSE_S = 0.2
_ID_BITS = 32  # below any that a controller takes that does not stand by

logger = logging.getLogger(__name__)


async def stand_by(config: SwitchConfig) -> None:
    """Returns when the switch has no primary controller any more.

    A switch that is gone is waited for.
    """
    logger.info("standing by for the controller of switch %s", config.name)
    complaint = ""
    while True:
        try:
            await _wait(config)
            return
        except SwitchError as error:
            if str(error) != complaint:
                complaint = str(error)
                logger.warning("standing by: %s", complaint)
        await asyncio.sleep(_PAUSE_S)


async def _wait(config: SwitchConfig) -> None:
    channel = await connect(config.p4runtime, _CONNECT_TIMEOUT_S)
    try:
        call: Any = p4r_grpc.P4RuntimeStub(channel).StreamChannel()
        with translated("arbitration"):
            await call.write(
                p4r.StreamMessageRequest(
                    arbitration=p4r.MasterArbitrationUpdate(
                        device_id=config.device_id,
                        election_id=U128.encode(1 + secrets.randbits(_ID_BITS)),
                    )
                )
            )
            async for message in call:
                # It has no primary, or made this one the primary when it lost the other.
                if (
                    message.WhichOneof("update") == "arbitration"
                    and message.arbitration.status.code != rpc_code.ALREADY_EXISTS
                ):
                    return
        raise SwitchError("the switch has ended the stream")
    finally:
        await channel.close()
