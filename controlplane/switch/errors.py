"""What can go wrong between the controller and the switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from finsy import GRPCStatusCode


class UpdateFailure(NamedTuple):
    """Why the switch refused one update of a write."""

    code: GRPCStatusCode
    message: str

    @property
    def is_duplicate(self) -> bool:
        """The entry to be inserted is there already."""
        return self.code is GRPCStatusCode.ALREADY_EXISTS

    @property
    def is_missing(self) -> bool:
        """The entry to be modified or deleted is not there."""
        return self.code is GRPCStatusCode.NOT_FOUND


class SwitchError(Exception):
    """The switch cannot be used, or has refused something. The message is one line."""

    def __init__(
        self,
        message: str,
        *,
        failures: Mapping[int, UpdateFailure] | None = None,
        is_unanswered: bool = False,
        is_unsupported: bool = False,
        is_precondition: bool = False,
        is_superseded: bool = False,
    ) -> None:
        super().__init__(message)
        self.failures: Mapping[int, UpdateFailure] = failures or {}
        """The updates of a write that were refused, by index; the others are in force."""
        self.is_unanswered = is_unanswered
        """There was no answer: what was asked for may have happened or not."""
        self.is_unsupported = is_unsupported
        """The target does not offer this at all (gRPC status UNIMPLEMENTED)."""
        self.is_precondition = is_precondition
        """The switch has no program, or is not ready for this (FAILED_PRECONDITION)."""
        self.is_superseded = is_superseded
        """Another controller has become the primary."""


class ProgramMismatch(SwitchError):  # noqa: N818 - a mismatch is the error
    """P4Info does not say what the controller expects of the program."""
