"""gRPC to the switch: a channel, and its errors as SwitchError."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import finsy as fy
import grpc

from controlplane.switch.errors import SwitchError, UpdateFailure

_OPTIONS = (
    # A connection of its own: a long register read does not delay packets.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    # The details of a failed batch are a trailer.
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 1 << 20),
    ("grpc.max_receive_message_length", -1),
)

_UNANSWERED = (
    fy.GRPCStatusCode.UNAVAILABLE,
    fy.GRPCStatusCode.DEADLINE_EXCEEDED,
    fy.GRPCStatusCode.CANCELLED,
)


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to `unix:/path` or `host:port`, on a connection of its own."""
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


async def connect(address: str, timeout_s: float) -> grpc.aio.Channel:
    """A channel that is connected. Raises SwitchError."""
    channel = open_channel(address)
    try:
        async with asyncio.timeout(timeout_s):
            await channel.channel_ready()
    except TimeoutError:
        await channel.close()
        raise SwitchError(
            f"{address}: no P4Runtime server answers within {timeout_s:g} s", is_unanswered=True
        ) from None
    except BaseException:
        await channel.close()
        raise
    return channel


@contextmanager
def translated(operation: str) -> Generator[None]:
    """Turns gRPC's errors into SwitchError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _switch_error(operation, error) from error
    except TimeoutError as error:
        raise SwitchError(f"{operation}: the switch does not answer", is_unanswered=True) from error
    # Written to a stream that has ended, or is just ending.
    except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:
        raise SwitchError(f"{operation}: the stream has ended", is_unanswered=True) from error


def _switch_error(operation: str, error: grpc.aio.AioRpcError) -> SwitchError:
    status = fy.P4ClientError(error, operation)
    failures = {
        index: UpdateFailure(detail.canonical_code, detail.message)
        for index, detail in status.details.items()
    }
    if failures:
        message = refused(operation, failures)
    else:
        message = f"{operation}: {status.code.name}: {' '.join(status.message.split())}"
    return SwitchError(
        message,
        failures=failures,
        is_unanswered=not failures and status.code in _UNANSWERED,
        is_unsupported=status.code is fy.GRPCStatusCode.UNIMPLEMENTED,
        is_precondition=status.code is fy.GRPCStatusCode.FAILED_PRECONDITION,
    )


def refused(operation: str, failures: Mapping[int, UpdateFailure]) -> str:
    """One line about refused updates."""
    first = failures[min(failures)]
    reason = " ".join(f"{first.code.name} {first.message}".split())
    return f"{operation}: {len(failures)} updates refused, the first: {reason}"
