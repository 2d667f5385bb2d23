"""Why a move is not begun, or has come to nothing."""

from __future__ import annotations


class MoveError(Exception):
    """A move was refused or has failed. The message is one line: what, and what to do."""

    def __init__(self, message: str, *, unknown: bool = False, conflict: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown
        """Whether it names something that does not exist."""
        self.conflict = conflict
        """Whether it would be in order at another time."""
