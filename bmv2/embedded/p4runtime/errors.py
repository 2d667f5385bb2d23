"""The one error of the P4Runtime server, and how it travels in a gRPC status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import grpc
from finsy.proto import p4r, rpc_status

Code: TypeAlias = grpc.StatusCode

DETAILS_KEY = "grpc-status-details-bin"

# The details of a batch travel as metadata, of which a gRPC client takes 8 KiB unless
# told otherwise. So messages past a budget are left out, their codes stay; in a large
# batch the type names go without their usual prefix, which nobody needs to read them; and
# of one that is larger still, only the message tells.
_MESSAGE_BUDGET_BYTES = 1536
_LARGE_BATCH = 96
_METADATA_BYTES = 8192
_OTHER_METADATA_BYTES = 512  # names, and what gRPC adds
_TYPE_PREFIX = "type.googleapis.com/"


class P4RuntimeError(Exception):
    """A request is refused. The message is one line: which entity, and why."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def within(self, entity: str) -> P4RuntimeError:
        """The same error with the entity it is about in front."""
        return P4RuntimeError(self.code, f"{entity}: {self.message}")


def code_number(code: Code) -> int:
    """The number of a canonical code, as google.rpc.Code has it."""
    return int(code.value[0])  # pyright: ignore[reportIndexIssue]  # the stubs lack the tuple


def invalid(message: str) -> P4RuntimeError:
    """INVALID_ARGUMENT."""
    return P4RuntimeError(Code.INVALID_ARGUMENT, message)


def unimplemented(message: str) -> P4RuntimeError:
    """UNIMPLEMENTED."""
    return P4RuntimeError(Code.UNIMPLEMENTED, message)


def not_found(message: str) -> P4RuntimeError:
    """NOT_FOUND."""
    return P4RuntimeError(Code.NOT_FOUND, message)


def exhausted(message: str) -> P4RuntimeError:
    """RESOURCE_EXHAUSTED."""
    return P4RuntimeError(Code.RESOURCE_EXHAUSTED, message)


def denied(message: str) -> P4RuntimeError:
    """PERMISSION_DENIED."""
    return P4RuntimeError(Code.PERMISSION_DENIED, message)


def batch_status(results: Sequence[P4RuntimeError | None], what: str) -> rpc_status.Status:
    """The status of a batch in which something failed: one p4.v1.Error an element.

    `what` names the elements. Section 12.3 of the specification, "Error Reporting".
    """
    failed = [(index, error) for index, error in enumerate(results) if error is not None]
    first, error = failed[0]
    status = rpc_status.Status(
        code=code_number(Code.UNKNOWN),
        message=f"{len(failed)} of {len(results)} {what} failed; the first is {first}: "
        f"{error.message}",
    )
    budget = _MESSAGE_BUDGET_BYTES
    type_prefix = _TYPE_PREFIX if len(results) <= _LARGE_BATCH else ""
    for result in results:
        detail = p4r.Error()
        if result is not None:
            detail.canonical_code = code_number(result.code)
            budget -= len(result.message.encode())
            if budget >= 0:
                detail.message = result.message
        status.details.add().Pack(detail, type_prefix)
    sent_bytes = status.ByteSize() + len(status.message.encode()) + _OTHER_METADATA_BYTES
    if sent_bytes > _METADATA_BYTES:
        del status.details[:]
        status.message += f" (of so many {what} there is no room to tell each one's outcome)"
    return status
